"""How good a clustering is: the exact silhouette, the adjusted Rand index, stability."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_app.learning.lloyd import Floats, Labels, fit_centres, squared_distances


def distances(values: Floats) -> Floats:
    """Return the distances (n, n) between all pairs of vectors (n, w)."""
    squared = np.zeros((len(values), len(values)))
    for column in np.ascontiguousarray(values.T):
        squared += (column[:, None] - column) ** 2
    return np.sqrt(squared)


def silhouette(between: Floats, labels: NDArray[Any]) -> float:
    """Return the mean silhouette (Rousseeuw, 1987) by the distances (n, n) and labels (n,).

    A vector that is alone in its cluster counts 0, and so do all where there is one cluster only.
    """
    names, own = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        return 0.0
    member = (own[:, None] == np.arange(len(names))).astype(np.float64)
    sizes = member.sum(axis=0)
    sums = between @ member
    rows = np.arange(len(own))
    others = sums / sizes
    others[rows, own] = np.inf
    alone = sizes[own] == 1
    within = sums[rows, own] / np.where(alone, 1.0, sizes[own] - 1)
    without = others.min(axis=1)
    widest = np.maximum(within, without)
    ratio = (without - within) / np.where(widest == 0, 1.0, widest)
    return float(np.where(alone, 0.0, ratio).mean())


def adjusted_rand(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return how far labels (n,) agree: 1 entirely, 0 as by chance (Hubert and Arabie, 1985)."""
    table = contingency(a, b)
    both, left, right = (_pairs(part) for part in (table, table.sum(axis=1), table.sum(axis=0)))
    total = _pairs(table.sum())
    chance = left * right / total if total else 0.0
    most = (left + right) / 2
    return 1.0 if most == chance else (both - chance) / (most - chance)


def contingency(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.int64]:
    """Return how many are in each pair of labels (labels of a, labels of b), both ascending."""
    rows, i = np.unique(a, return_inverse=True)
    columns, j = np.unique(b, return_inverse=True)
    table = np.zeros((len(rows), len(columns)), dtype=np.int64)
    np.add.at(table, (i, j), 1)
    return table


def stability(values: Floats, centres: Floats, rng: np.random.Generator, rounds: int = 6) -> float:
    """Return the mean ARI of the labels by `centres` (k, w) and by fits to bootstrap samples.

    All label the same vectors (n, w): what changes is only what they were fitted to.
    """
    labels = _nearest(values, centres)
    found = []
    for _ in range(rounds):
        sample = values[rng.integers(len(values), size=len(values))]
        try:
            fit = fit_centres(sample, len(centres), rng, starts=3)
        except ValueError:
            # The sample has fewer distinct vectors than centres: nothing could be less stable.
            found.append(0.0)
        else:
            found.append(adjusted_rand(labels, _nearest(values, fit.centres)))
    return float(np.mean(found))


def _nearest(values: Floats, centres: Floats) -> Labels:
    found: Labels = squared_distances(values, centres).argmin(axis=1)
    return found


def _pairs(counts: NDArray[np.int64] | np.int64) -> float:
    return float((counts * (counts - 1) // 2).sum())
