"""What segments are measured in: spreads from the population's median, by feature."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.learning.transform import compress

Floats = NDArray[np.float64]

#: Winsorising: no feature puts anyone farther from the median than this many spreads.
LIMIT: Final = 5.0
#: Features correlated beyond this say the same thing twice, which would count it twice.
TWINS: Final = 0.9
#: One that was dropped before comes back only below this, lest features flicker between fits.
BACK: Final = 0.85
#: Ranges between quantiles, and how wide a standard normal is there.
_RANGES: Final = ((0.25, 0.75, 1.3489795), (0.05, 0.95, 3.2897073))
#: Looked at only when both are empty: a feature that less than one user in twenty has.
_RARE: Final = (0.01, 0.99, 4.6526957)


@dataclass(frozen=True)
class Dropped:
    """A feature left out because it is correlated with one that stays, by Pearson's `r`."""

    feature: str
    like: str
    r: float


@dataclass(frozen=True, eq=False)
class Scale:
    """The features that stay, in order, with median (w,) and spread (w,) of their logarithms."""

    features: tuple[str, ...]
    median: Floats
    spread: Floats
    dropped: tuple[Dropped, ...]


def scaled(values: Floats, median: Floats, spread: Floats) -> Floats:
    """Return vectors (n, w) in units of spread, within ±LIMIT; a missing value is the median."""
    z = (compress(values) - median) / spread
    found: Floats = np.where(np.isnan(z), 0.0, np.clip(z, -LIMIT, LIMIT))
    return found


def spread_of(values: Floats) -> tuple[float, float]:
    """Return median and spread of a column's finite values: a normal one's standard deviation.

    The wider of two ranges between quantiles counts, so that a feature that most users do not have
    is no microscope for those who do. A column that hardly varies has the spread 1.
    """
    present = values[np.isfinite(values)]
    if not len(present):
        return 0.0, 1.0
    median = float(np.median(present))
    for ranges in (_RANGES, (_RARE,)):
        widths = [float(np.ptp(np.quantile(present, (low, high)))) / w for low, high, w in ranges]
        # Below this, differences are the rounding of sums, not differences between users.
        if max(widths) > 1e-9 * max(1.0, abs(median)):
            return median, max(widths)
    return median, 1.0


def fit_scale(values: Floats, features: Sequence[str], dropped: Collection[str] = ()) -> Scale:
    """Fit the scale of vectors (n, c); `dropped` are the features that the last fit left out."""
    logs = compress(values)
    pairs = np.array([spread_of(column) for column in logs.T]).reshape(-1, 2)
    median, spread = pairs[:, 0], pairs[:, 1]
    keep, out = _thin(scaled(values, median, spread), features, dropped)
    return Scale(tuple(features[j] for j in keep), median[keep], spread[keep], tuple(out))


def correlations(z: Floats) -> Floats:
    """Return Pearson's r of all pairs of columns (w, w); 0 where a column is constant."""
    centred = z - z.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    flat = norms < 1e-9
    r: Floats = (centred.T @ centred) / np.outer(norms + flat, norms + flat)
    r[flat] = r[:, flat] = 0.0
    return r


def _thin(
    z: Floats, features: Sequence[str], dropped: Collection[str]
) -> tuple[list[int], list[Dropped]]:
    """Return the columns to keep, first come first kept, and what became of the others."""
    r = correlations(z)
    keep: list[int] = []
    out: list[Dropped] = []
    for j, name in enumerate(features):
        like = max(keep, key=lambda i: abs(r[i, j]), default=None)
        bound = BACK if name in dropped else TWINS
        if like is not None and abs(r[like, j]) > bound:
            out.append(Dropped(name, features[like], float(r[like, j])))
        else:
            keep.append(j)
    return keep, out
