"""One task's examples of one day end: what was known, what came of it, how good the scores were."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_app.learning.measures import Bools, Floats, Quality, quality

_ROUNDING: Final = 1e-9


class TaskExample(NamedTuple):
    """A user sampled for one task at the day end `at`.

    `values` is the vector (c,), NaN for missing; the cohort does not look at it. `score` is the
    probability given by the live `version` at sample time. `champion` and `challenger` are those
    that the trainer's own models had at the same moment; None: there was no model. `tag` is the
    value that the user was exposed to.
    """

    user: str
    partition: int
    at: int
    values: NDArray[np.float64]
    score: float | None
    version: int = 0
    held_out: bool = False
    tag: str | None = None
    champion: float | None = None
    challenger: float | None = None


class Labelled(NamedTuple):
    """An example that may be learned from: its outcome, and whether that counts as positive."""

    example: TaskExample
    value: float
    positive: bool


@dataclass(frozen=True, slots=True)
class Cohort:
    """A closed cohort: arrays (n,) in the order in which its examples closed.

    A score is NaN where no model was live. Outcomes above `cut` counted as positive: 0 for boolean
    ones, infinity where there were no numbers to cut.
    """

    at: int
    users: tuple[str, ...]
    positive: Bools
    scores: Floats
    champion: Floats
    challenger: Floats
    versions: NDArray[np.int64]
    held_out: Bools
    tags: tuple[str | None, ...]
    cut: float
    voided: int
    unmatched: int

    def __len__(self) -> int:
        return len(self.users)

    def quality(self, selected: Bools | None = None) -> Quality:
        """How good the scores given at sample time were, and the selection (n,) they led to.

        Left out, those count as selected who had the tag, whatever its value.
        """
        if selected is None:
            selected = np.array([tag is not None for tag in self.tags], dtype=bool)
        return quality(self.scores, self.positive, self.held_out, selected)


def cohort_of(
    at: int, labelled: Sequence[Labelled], cut: float, voided: int, unmatched: int
) -> Cohort:
    """Put the examples of a cohort into columns."""
    examples = [one.example for one in labelled]
    return Cohort(
        at=at,
        users=tuple(example.user for example in examples),
        positive=np.array([one.positive for one in labelled], dtype=bool),
        scores=_numbers([example.score for example in examples]),
        champion=_numbers([example.champion for example in examples]),
        challenger=_numbers([example.challenger for example in examples]),
        versions=np.array([example.version for example in examples], dtype=np.int64),
        held_out=np.array([example.held_out for example in examples], dtype=bool),
        tags=tuple(example.tag for example in examples),
        cut=cut,
        voided=voided,
        unmatched=unmatched,
    )


def top_cut(values: Sequence[float], quantile: float) -> float:
    """The number above which values are in the top share, 1 - quantile; infinity without values.

    Strictly above: never more than that share, and where its last places are tied, fewer. So
    most users' spending nothing does not make spending nothing a success.
    """
    if not values:
        return math.inf
    top = math.floor((1 - quantile) * len(values) + _ROUNDING)
    return sorted(values, reverse=True)[top]


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
