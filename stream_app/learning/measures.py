"""How good predictions were: exact measures over scores (n,) and outcomes (n,).

Scores are probabilities, float64 without NaN; outcomes are bool. A measure is None where the
examples cannot tell it: none at all, or outcomes of one class only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
#: No cohort can show that one in a million is right; it also bounds what one example may cost.
CLIP: Final = 1e-6


def auc(p: Floats, y: Bools) -> float | None:
    """The chance that a positive scores above a negative; a tie counts half.

    The rank statistic, in whole numbers: exact, and the same in whatever order examples come.
    """
    if not _two_classes(p, y):
        return None
    positives = int(y.sum())
    _, group, counts = np.unique(p, return_inverse=True, return_counts=True)
    twice_ranks = 2 * np.cumsum(counts) - counts + 1
    twice_wins = int(twice_ranks[group][y].sum()) - positives * (positives + 1)
    return twice_wins / (2 * positives * (len(y) - positives))


def losses(p: Floats, y: Bools) -> Floats:
    """What each example (n,) costs in nats: -ln of the probability given to what came true."""
    clipped = np.clip(p, CLIP, 1 - CLIP)
    return -np.log(np.where(y, clipped, 1 - clipped))


def log_loss(p: Floats, y: Bools) -> float | None:
    """Mean loss in nats."""
    return float(losses(p, y).mean()) if _two_classes(p, y) else None


def lift(p: Floats, y: Bools) -> float | None:
    """How many times as frequent positives are in the top decile as among all.

    The decile holds ceil(n / 10) examples. Where its last places are tied, each of the tied is
    as likely to be in: this is the mean over all ways to break the tie.
    """
    if not _two_classes(p, y):
        return None
    size = (len(p) + 9) // 10
    last = np.partition(p, -size)[-size]
    above, tied = p > last, p == last
    hits = y[above].sum() + (size - above.sum()) * y[tied].mean()
    return float(hits / size / y.mean())


def calibration(p: Floats, y: Bools) -> float | None:
    """How far the mean score is from the share of positives."""
    return float(abs(p.mean() - y.mean())) if _two_classes(p, y) else None


def precision(selected: Bools, y: Bools) -> float | None:
    """The share of the selected whose outcome came true; None only where nobody is selected.

    A selection in which nothing came true has a precision, namely 0: nothing warns louder.
    """
    return float(y[selected].mean()) if selected.any() else None


@dataclass(frozen=True, slots=True)
class Measures:
    """All measures of a group; those of scores are over the `scored` of its `examples`."""

    examples: int
    positives: int
    scored: int
    auc: float | None
    log_loss: float | None
    lift: float | None
    calibration: float | None
    selected: int
    precision: float | None

    @property
    def rate(self) -> float | None:
        """The share of positives."""
        return self.positives / self.examples if self.examples else None


@dataclass(frozen=True, slots=True)
class Quality:
    """A cohort's measures: of everyone, and apart of those held out and those exposed.

    Nobody acts on a tag that is held out, so `held_out` says what the prediction is worth by
    itself; in `exposed` its own effects are mixed in.
    """

    everyone: Measures
    held_out: Measures
    exposed: Measures


def measure(p: Floats, y: Bools, selected: Bools) -> Measures:
    """Measure a group (n,); a score of NaN says that no model was live."""
    scored = ~np.isnan(p)
    known, came_true = p[scored], y[scored]
    return Measures(
        examples=len(y),
        positives=int(y.sum()),
        scored=len(known),
        auc=auc(known, came_true),
        log_loss=log_loss(known, came_true),
        lift=lift(known, came_true),
        calibration=calibration(known, came_true),
        selected=int(selected.sum()),
        precision=precision(selected, y),
    )


def quality(p: Floats, y: Bools, held_out: Bools, selected: Bools) -> Quality:
    """Measure a cohort (n,) as a whole and by exposure; a score may be NaN."""
    groups = (np.ones_like(held_out), held_out, ~held_out)
    return Quality(*(measure(p[group], y[group], selected[group]) for group in groups))


def _two_classes(p: Floats, y: Bools) -> bool:
    """Whether there are positives and negatives; ValueError where scores cannot be ranked."""
    if p.shape != y.shape or np.isnan(p).any():
        raise ValueError(f"scores {p.shape} of {y.shape} outcomes must be numbers, one for each")
    return bool(y.any() and not y.all())
