"""From probabilities to tags: where to draw the line, and how not to flicker at it.

Users are selected whose probability is at or above a threshold. Scores p (n,) are float64 without
NaN and outcomes y (n,) bool where a threshold is found; to decide, p may be NaN: no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.learning.measures import Bools, Floats

Codes = NDArray[np.int64]
#: Who has no band yet.
NO_BAND: Final = -1
_Z: Final = NormalDist().inv_cdf(0.90)
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold and what it would have done; `value` is None where the target is unreachable.

    Then the rest tells of the best precision found, with `precision` None if no selection was
    large enough to judge.
    """

    value: float | None
    precision: float | None
    lower: float | None
    selected: int
    positives: int


def wilson_lower(positives: NDArray[Any], selected: NDArray[Any]) -> Floats:
    """The lower 90 % bound (one-sided) of a share by Wilson's score interval; 0 of 0 gives 0."""
    n = np.maximum(selected, 1).astype(np.float64)
    share, square = positives / n, _Z * _Z
    spread = _Z * np.sqrt(share * (1 - share) / n + square / (4 * n * n))
    bound: Floats = (share + square / (2 * n) - spread) / (1 + square / n)
    # Exactly 0 for no positives; rounding may leave less.
    return np.where(positives > 0, bound, 0.0)


def for_precision(
    p: Floats, y: Bools, target: float, min_selected: int = 200, min_positives: int = 30
) -> Threshold:
    """The lowest threshold whose precision is at least `target` by its lower bound.

    Selections below either minimum are not judged.
    """
    values, selected, positives = _selections(p, y)
    enough = (selected >= min_selected) & (positives >= min_positives)
    if not enough.any():
        return Threshold(None, None, None, 0, 0)
    precision, lower = positives / selected, wilson_lower(positives, selected)
    reached = np.flatnonzero(enough & (lower >= target))
    found = reached[0] if len(reached) else int(np.argmax(np.where(enough, precision, -1.0)))
    return Threshold(
        value=float(values[found]) if len(reached) else None,
        precision=float(precision[found]),
        lower=float(lower[found]),
        selected=int(selected[found]),
        positives=int(positives[found]),
    )


def for_top_share(p: Floats, share: float) -> float | None:
    """The threshold that selects as many as there are scores for, up to `share` of all.

    Equal scores are selected together or not at all, so there may be fewer; None if there is no
    such threshold, as when all scores are equal.
    """
    values, selected, _ = _selections(p, np.zeros(len(p), dtype=bool))
    fitting = values[selected <= floor(share * len(p) + _ROUNDING)]
    return float(fitting[0]) if len(fitting) else None


def selects(p: Floats, threshold: float | None) -> Bools:
    """Whom (n,) a threshold selects: nobody without one, and nobody without a score."""
    found: Bools = p >= (np.inf if threshold is None else threshold)
    return found


def banded(previous: Codes, p: Floats, edges: Sequence[float], margin: float) -> Codes:
    """The bands (n,) after the bands `previous`: 0 below the first edge, 1 from it on, and so on.

    A band is entered from below at its edge + margin and left downwards below its edge - margin;
    in between nothing changes, and a move goes no farther than it must. With NO_BAND before, the
    edges alone decide; without a score what was there stays. ValueError for edges that do not
    rise or a negative margin.
    """
    if margin < 0 or any(low >= high for low, high in pairwise(edges)):
        raise ValueError(f"edges {list(edges)} must rise, margin {margin} must not be negative")
    bounds = np.asarray(edges, dtype=np.float64)
    at_least = np.searchsorted(bounds + margin, p, side="right")
    at_most = np.searchsorted(bounds - margin, p, side="right")
    plain = np.searchsorted(bounds, p, side="right")
    moved = np.where(previous == NO_BAND, plain, np.clip(previous, at_least, at_most))
    return np.where(np.isnan(p), previous, moved).astype(np.int64)


def _selections(p: Floats, y: Bools) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """By rising threshold, each a distinct score: how many it selects, and positives of them."""
    if np.isnan(p).any():
        raise ValueError("scores must be numbers")
    values, group = np.unique(p, return_inverse=True)
    counts = np.bincount(group, minlength=len(values))
    hits = np.bincount(group[y], minlength=len(values))
    return values, counts[::-1].cumsum()[::-1], hits[::-1].cumsum()[::-1]
