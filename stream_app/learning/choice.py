"""How many segments there are: by the silhouette, if the segments are stable, and reluctantly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.learning.lloyd import Fit, fit_centres
from stream_app.learning.quality import distances, silhouette, stability

Floats = NDArray[np.float64]

#: By how much another k's silhouette must be better than that of the k in use.
BETTER: Final = 0.02
#: Fewer segments are taken if silhouette and stability are the best's but for these: more of them
#: would split what belongs together for what is noise, at a thousand vectors.
AS_GOOD: Final = 0.01
AS_STABLE: Final = 0.05
#: Mean adjusted Rand index of fits to bootstrap samples, from which on segments are stable.
STABLE: Final = 0.8
#: Vectors that candidates are fitted to, and those that silhouettes are computed on.
_FITTED: Final = 2_000
_MEASURED: Final = 1_000


@dataclass(frozen=True)
class Check:
    """What a check found: `k`, `silhouettes` by k, `stabilities` of those k that were asked for it.

    `challenger` is the k that has won this check, and becomes `k` if it wins the next one too.
    """

    k: int
    silhouettes: dict[int, float]
    stabilities: dict[int, float]
    challenger: int | None = None


def choose(
    z: Floats,
    bounds: tuple[int, int],
    rng: np.random.Generator,
    trim: float,
    before: Check | None = None,
) -> tuple[Check, Floats]:
    """Choose k for scaled vectors (n, w), with centres (k, w) fitted to some of them.

    The share `trim` that is farthest takes no part. ValueError where fewer vectors differ than
    the least k.
    """
    some = z[np.sort(rng.permutation(len(z))[:_FITTED])]
    low, high = bounds[0], min(bounds[1], len(np.unique(some, axis=0)))
    if high < low:
        raise ValueError(f"{high} distinct vectors for {low} segments")
    fits = {k: fit_centres(some, k, rng, trim=trim) for k in range(low, high + 1)}
    silhouettes = _silhouettes(some, fits, rng, trim)
    stabilities: dict[int, float] = {}

    def ask(k: int) -> float:
        return stability(some[_inside(fits[k], trim)], fits[k].centres, rng)

    in_use = before.k if before is not None and before.k in fits else None
    best, challenger = _best(silhouettes, stabilities, ask, in_use), None
    if before is not None and in_use is not None and best not in (in_use, before.challenger):
        best, challenger = in_use, best
    return Check(best, silhouettes, stabilities, challenger), fits[best].centres


def _best(
    silhouettes: dict[int, float],
    stabilities: dict[int, float],
    ask: Callable[[int], float],
    in_use: int | None,
) -> int:
    """Return the least stable k whose silhouette is about the best, asking no more than needed.

    Without a k in use, that is the most stable where none is stable; with one, that one where no
    other is clearly better and stable.
    """

    def stable(k: int) -> bool:
        if k not in stabilities:
            stabilities[k] = ask(k)
        return stabilities[k] >= STABLE

    bar = -np.inf if in_use is None else silhouettes[in_use] + BETTER
    able = sorted(k for k in silhouettes if silhouettes[k] > bar)
    best = next((k for k in sorted(able, key=lambda k: -silhouettes[k]) if stable(k)), None)
    if best is not None:
        for k in able:
            good = silhouettes[k] >= silhouettes[best] - AS_GOOD
            if good and stable(k) and stabilities[k] >= stabilities[best] - AS_STABLE:
                return k
    if in_use is not None:
        return in_use
    return max(silhouettes, key=lambda k: (stabilities[k], silhouettes[k]))


def _silhouettes(
    some: Floats, fits: dict[int, Fit], rng: np.random.Generator, trim: float
) -> dict[int, float]:
    """Return the exact silhouettes on the same vectors for all k, without those trimmed there."""
    rows = np.sort(rng.permutation(len(some))[:_MEASURED])
    between = distances(some[rows])
    found = {}
    for k, fit in fits.items():
        inside = _inside(fit, trim)[rows]
        found[k] = silhouette(between[np.ix_(inside, inside)], fit.labels[rows][inside])
    return found


def _inside(fit: Fit, trim: float) -> NDArray[np.bool_]:
    kept: NDArray[np.bool_] = fit.squared <= np.quantile(fit.squared, 1.0 - trim)
    return kept
