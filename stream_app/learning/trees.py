"""Half-space trees that score whole batches."""

from __future__ import annotations

from typing import Final

import numpy as np

from stream_app.learning.logs import Logs
from stream_app.learning.scorers import HalfSpaceTrees
from stream_app.learning.transform import Floats, columns_of

#: Users walked through the trees at a time: (users, trees) stays in the cache.
_SLICE: Final = 250


class Trees:
    """River's score of half-space trees, exactly: all that is added are whole numbers.

    What a walk from the root to a leaf collects is known beforehand, so that only comparisons are
    left to do: 1.5 µs a user for 50 trees of height 6 instead of 4.6.
    """

    def __init__(self, scorer: HalfSpaceTrees) -> None:
        self.names: Final = columns_of(scorer.names)
        feature, mass = np.array(scorer.feature, dtype=np.intp), np.array(scorer.mass, np.float64)
        self._trees, self._inner = feature.shape
        self._low, self._high = (np.array(b)[:, None] for b in (scorer.low, scorer.high))
        self._feature, self._threshold = feature.ravel(), np.array(scorer.threshold).ravel()
        totals = _collected(mass, 0.1 * scorer.window)
        self._leaves = np.ascontiguousarray(totals[:, self._inner :]).ravel()
        trees = np.arange(self._trees)
        self._root = trees * self._inner
        #: What makes a leaf's place in its tree one among all trees' leaves.
        self._first_leaf = trees * (self._inner + 1) - self._inner
        self._most = mass.size * scorer.window

    def scores(self, logs: Logs) -> Floats:
        """The anomaly scores (m,) of m users, in 0..1."""
        collected = np.empty(len(logs))
        places = logs.places(self.names)
        for first in range(0, len(logs), _SLICE):
            part = slice(first, first + _SLICE)
            design = np.concatenate((logs.values[places, part], logs.missing[places, part]))
            np.clip(design, self._low, self._high, out=design)
            collected[part] = self._walk(design)
        scores: Floats = 1.0 - collected / self._most
        return scores

    def _walk(self, design: Floats) -> Floats:
        """What (m,) users collect whose design is (w, m)."""
        count = design.shape[1]
        users, values = np.arange(count)[:, None], design.ravel()
        node = np.zeros((count, self._trees), dtype=np.intp)
        for _ in range(self._inner.bit_length()):
            at = node + self._root
            right = values.take(self._feature.take(at) * count + users) >= self._threshold.take(at)
            node *= 2
            node += 1
            node += right
        collected: Floats = self._leaves.take(node + self._first_leaf).sum(axis=1)
        return collected


def _collected(mass: Floats, least: float) -> Floats:
    """What walks (t, nodes) have collected by each node: they end below the `least` mass."""
    total, walking = mass.copy(), np.ones(mass.shape, dtype=np.bool_)
    for node in range(1, mass.shape[1]):
        parent, depth = (node - 1) // 2, (node + 1).bit_length() - 1
        walking[:, node] = walking[:, parent] & (mass[:, parent] >= least)
        here = np.where(walking[:, node], mass[:, node] * 2.0**depth, 0.0)
        total[:, node] = total[:, parent] + here
    return total
