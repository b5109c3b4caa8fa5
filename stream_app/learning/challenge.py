"""Whether a challenger takes the champion's place: paired losses, errors by user, patience."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import NormalDist
from typing import Final

import numpy as np

from stream_app.learning.measures import Bools, Floats, losses

#: Fewer users cannot carry an error estimate that lets a normal bound hold.
MIN_USERS: Final = 30
_Z: Final = NormalDist().inv_cdf(0.95)


@dataclass(frozen=True, slots=True)
class Difference:
    """Log loss of the champion minus the challenger's, in nats an example; above 0 is for it.

    `lower` is the 95 % lower bound (one-sided); it and `error` are None below MIN_USERS users.
    """

    mean: float | None
    error: float | None
    lower: float | None
    examples: int
    users: int


def difference(champion: Floats, challenger: Floats, y: Bools, users: Sequence[str]) -> Difference:
    """Compare scores (n,) of the same moments on the same examples; those lacking one are left out.

    Examples of one user are not independent of one another: the error is that of a mean of sums
    by user, so a user who comes a hundred times counts as one witness.
    """
    both = ~(np.isnan(champion) | np.isnan(challenger))
    gain = losses(champion[both], y[both]) - losses(challenger[both], y[both])
    n = len(gain)
    if not n:
        return Difference(None, None, None, 0, 0)
    names, of = np.unique(np.asarray(users, dtype=object)[both].astype(str), return_inverse=True)
    mean, m = float(gain.mean()), len(names)
    if m < MIN_USERS:
        return Difference(mean, None, None, n, m)
    sums = np.bincount(of, weights=gain - mean)
    error = sqrt(float(sums @ sums) * m / (m - 1)) / n
    return Difference(mean, error, mean - _Z * error, n, m)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenger's wins in successive cohorts: `wins` of the last ones, `promoted_at` or None.

    Only cohorts sampled since the last promotion count, for those before were scored by the old
    pair. As a cohort closes a horizon after it was sampled, no two promotions are nearer than that.
    """

    horizon_ms: int
    margin: float
    needed: int = 3
    wins: int = 0
    judged: int = -1
    promoted_at: int | None = None

    def after(self, at: int, found: Difference) -> Challenge:
        """Return the state after the cohort sampled at `at` has closed with a difference.

        A cohort that cannot be judged ends a run of wins. ValueError unless `at` rises.
        """
        if at <= self.judged:
            raise ValueError(f"cohort {at} comes after {self.judged}")
        if self.promoted_at is not None and at < self.promoted_at:
            return replace(self, judged=at)
        won = found.lower is not None and found.lower > self.margin
        if won and self.wins + 1 >= self.needed:
            return replace(self, wins=0, judged=at, promoted_at=at + self.horizon_ms)
        return replace(self, wins=self.wins + 1 if won else 0, judged=at)

    def promotes(self, at: int) -> bool:
        """Whether the cohort sampled at `at`, the last that was judged, made the promotion."""
        return self.judged == at and self.promoted_at == at + self.horizon_ms
