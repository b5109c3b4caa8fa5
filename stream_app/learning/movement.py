"""How many users each segment has, and how far they have moved, since the segments were fitted."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.learning.kmeans import KMeans
from stream_app.learning.scale import scaled
from stream_app.learning.scorers import Centroids
from stream_app.learning.tally import Tally

Floats = NDArray[np.float64]


class Movement:
    """A running tally of those who came to each centre; the centres themselves stand still."""

    def __init__(self, centroids: Centroids) -> None:
        self.centroids: Final = centroids
        k = len(centroids.ids)
        # It fits nothing, so it need not keep vectors.
        self._model = KMeans(centroids.names, k, warm_up=k, retained=k)
        self._model.broadcast(np.array(centroids.centre))
        self._all = 0

    @property
    def tally(self) -> Tally:
        """Counts and sums by segment; those of several processes add up."""
        return self._model.tally

    def add(self, values: Floats) -> None:
        """Count vectors (n, w) of the centroids' features; who is unusual belongs to no segment."""
        c = self.centroids
        z = scaled(values, np.array(c.median), np.array(c.spread))
        near = np.array(c.centre)[self._model.predict_many(z)]
        self._all += len(z)
        self._model.learn_many(z[np.sqrt(((z - near) ** 2).sum(axis=1)) <= c.bound])

    def metrics(self) -> dict[str, float | None]:
        """`size_ID` is a segment's share of all; `moved_ID` how far its users' mean is, in spreads.

        None for a segment to which nobody came.
        """
        centres = np.array(self.centroids.centre)
        apart = np.linalg.norm(self.tally.means(centres) - centres, axis=1).tolist()
        found: dict[str, float | None] = {}
        for name, n, distance in zip(self.centroids.ids, self.tally.n, apart, strict=True):
            found[f"size_{name}"] = n / self._all if self._all else None
            found[f"moved_{name}"] = distance if n else None
        return found
