"""Why a logistic score is high or low: what sets a user apart from the population, by family."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stream_app.learning.scorers import Logistic
from stream_app.learning.telling import TOP, members
from stream_app.learning.transform import Design, Floats, expand

__all__ = ["TOP", "Reason", "reasons"]


@dataclass(frozen=True, slots=True)
class Reason:
    """A family of features, what it adds to the logit, and its most telling feature.

    `contribution` is against the population's mean. `value` is the user's, None where missing;
    `reference` is typical of those in the population who have one (the mean of the logarithms,
    written as a plain value), None where nobody has.
    """

    family: str
    contribution: float
    feature: str
    value: float | None
    reference: float | None


def reasons(
    scorer: Logistic,
    values: Floats,
    rows: Sequence[int],
    families: Mapping[str, str],
    direction: float = 1.0,
) -> list[list[Reason]]:
    """Return for chosen rows of the vectors (n, c) what speaks most for a high score.

    At most TOP families, the strongest first, of those that raise the logit, or with a negative
    `direction` of those that lower it. `families` are by column; a column without one is its own.
    """
    columns = scorer.names[: len(scorer.names) // 2]
    chosen = values[list(rows)]
    added = _contributions(scorer, chosen)
    distinct, member = members(columns, families)
    typical: list[float] = _typical(scorer).tolist()
    sums = added @ member.T
    telling = np.where(member, (added * direction)[:, None], -np.inf).argmax(axis=2).tolist()
    order = np.argsort(-sums * direction, axis=1, kind="stable")[:, :TOP].tolist()
    return [
        [
            Reason(
                family=distinct[f],
                contribution=total[f],
                feature=columns[j[f]],
                value=_number(vector[j[f]]),
                reference=_number(typical[j[f]]),
            )
            for f in best
            if total[f] * direction > 0
        ]
        for best, j, vector, total in zip(
            order, telling, chosen.tolist(), sums.tolist(), strict=True
        )
    ]


def _contributions(scorer: Logistic, values: Floats) -> Floats:
    """What each column adds (n, c) beyond the population's mean; its indicator belongs to it."""
    count = len(scorer.names) // 2
    design = Design(scorer.names[:count]).matrix(values)
    z = (design - np.array(scorer.mean)) / np.array(scorer.scale)
    added = np.array(scorer.weights) * z - np.array(scorer.reference)
    both: Floats = added[:, :count] + added[:, count:]
    return both


def _typical(scorer: Logistic) -> Floats:
    """The population's plain values (c,), NaN where there are none."""
    count = len(scorer.names) // 2
    weights = np.array(scorer.weights)
    # The reference is weights * z; without a weight nothing is known but the scaler's mean.
    z = np.divide(scorer.reference, weights, out=np.zeros(2 * count), where=weights != 0)
    mean = np.array(scorer.mean) + np.array(scorer.scale) * z
    present = 1.0 - mean[count:]
    some = present > 1e-9
    # Missing values stand as 0 in the mean.
    among = np.divide(mean[:count], present, out=np.full(count, np.nan), where=some)
    return expand(among)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
