"""Lloyd's algorithm: k-means++ seeds, warm starts, trimming; the same for the same seed."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]

#: Starts of a fit, a warm one among them.
STARTS: Final = 6
#: A warm start gives way only to one that is better by this share: the users it knows stay put.
WORTH: Final = 0.01
_STEPS: Final = 100


class Fit(NamedTuple):
    """Centres (k, w), the nearest of each vector (n,), squared distances (n,), their kept sum."""

    centres: Floats
    labels: Labels
    squared: Floats
    inertia: float


def squared_distances(values: Floats, centres: Floats) -> Floats:
    """Return (n, k) by the plain definition: expanding the square would lose half the digits."""
    found = np.empty((len(values), len(centres)))
    for j, centre in enumerate(centres):
        apart = values - centre
        found[:, j] = np.einsum("ij,ij->i", apart, apart)
    return found


def fit_centres(
    values: Floats,
    k: int,
    rng: np.random.Generator,
    *,
    warm: Floats | None = None,
    trim: float = 0.0,
    starts: int = STARTS,
) -> Fit:
    """Fit k centres to vectors (n, w): the best of `starts` by inertia, `warm` (k, w) preferred.

    The share `trim` of the vectors that is farthest from all centres counts neither for the centres
    nor for the inertia (trimmed k-means: Cuesta-Albertos, Gordaliza and Matrán, 1997): a centre
    spent on a few far ones gains nothing. ValueError for fewer distinct vectors than centres.
    """
    if k < 1 or len(np.unique(values, axis=0)) < k:
        raise ValueError(f"{k} centres for {len(values)} vectors, of which fewer differ")
    kept = max(k, round((1.0 - trim) * len(values)))
    best: Fit | None = None if warm is None else lloyd(values, warm, kept)
    bar = np.inf if best is None else best.inertia * (1.0 - WORTH)
    for _ in range(starts - (best is not None)):
        found = lloyd(values, seeds(values, k, rng, kept), kept)
        if best is None or found.inertia < bar:
            best, bar = found, found.inertia
    assert best is not None
    return best


def seeds(values: Floats, k: int, rng: np.random.Generator, kept: int) -> Floats:
    """Draw k of the vectors by greedy k-means++ (Arthur and Vassilvitskii, 2007).

    Each but the first is the best of some that are drawn; only the `kept` that lie nearest to those
    chosen already may be drawn.
    """
    chosen: Floats = values[rng.integers(len(values))][None]
    nearest = squared_distances(values, chosen)[:, 0]
    tries = 2 + int(np.log(k))
    for _ in range(1, k):
        weight = np.where(nearest <= _cut(nearest, kept), nearest, 0.0)
        if not weight.any():
            weight = nearest
        drawn = values[_drawn(weight, tries, rng)]
        after = np.minimum(nearest[:, None], squared_distances(values, drawn))
        best = int(np.partition(after, kept - 1, axis=0)[:kept].sum(axis=0).argmin())
        chosen, nearest = np.vstack([chosen, drawn[best]]), after[:, best]
    return chosen


def _drawn(weight: Floats, count: int, rng: np.random.Generator) -> Labels:
    """Draw `count` places, each with a chance in proportion to its weight."""
    total = np.cumsum(weight)
    at = np.searchsorted(total, rng.random(count) * total[-1], side="right")
    # Rounding may point behind the last place with a weight.
    found: Labels = np.minimum(at, np.flatnonzero(weight)[-1])
    return found


def lloyd(values: Floats, centres: Floats, kept: int) -> Fit:
    """Move centres (k, w) to the means of their share of the `kept` nearest, till none moves."""
    centres = centres.copy()
    for _ in range(_STEPS):
        fit = _assigned(values, centres, kept)
        inside = fit.squared <= _cut(fit.squared, kept)
        moved = _means(values[inside], fit.labels[inside], fit.squared[inside], centres)
        if np.array_equal(moved, centres):
            return fit
        centres = moved
    return _assigned(values, centres, kept)


def _assigned(values: Floats, centres: Floats, kept: int) -> Fit:
    squared = squared_distances(values, centres)
    labels = squared.argmin(axis=1)
    nearest: Floats = squared[np.arange(len(values)), labels]
    inertia = float(nearest[nearest <= _cut(nearest, kept)].sum())
    return Fit(centres, labels, nearest, inertia)


def _cut(squared: Floats, kept: int) -> float:
    """Return the largest of the `kept` smallest."""
    if kept >= len(squared):
        return float("inf")
    return float(np.partition(squared, kept - 1)[kept - 1])


def _means(values: Floats, labels: Labels, squared: Floats, centres: Floats) -> Floats:
    """Return the means by label; a centre without vectors goes to the farthest free vector."""
    k = len(centres)
    counts = np.bincount(labels, minlength=k)
    sums = [np.bincount(labels, weights=column, minlength=k) for column in values.T]
    means: Floats = np.array(sums).T.reshape(k, -1) / np.maximum(counts, 1)[:, None]
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        means[empty] = values[np.argsort(-squared, kind="stable")[: len(empty)]]
    return means
