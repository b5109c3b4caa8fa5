"""Which segment each user belongs to, and what puts a user there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.because import Because
from stream_app.learning.logs import Logs
from stream_app.learning.scale import LIMIT, scaled
from stream_app.learning.scorers import Centroids
from stream_app.learning.telling import TOP, members, rounded, told
from stream_app.learning.transform import expand

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

#: The segment of those who are far from all others: bots, mostly.
UNUSUAL: Final = "unusual"
#: Users at a time, so that distances stay in the cache.
_SLICE: Final = 500


class Assigner:
    """Assigns by compiled centroids; segments are places in `ids`, the last being `unusual`."""

    def __init__(self, centroids: Centroids) -> None:
        self.names: Final = tuple(centroids.names)
        self.ids: Final = (*centroids.ids, UNUSUAL)
        self._centre = np.array(centroids.centre).T[:, :, None]
        self._median = np.array(centroids.median)[:, None]
        self._spread = np.array(centroids.spread)[:, None]
        self._bound, self._closer = centroids.bound, 1.0 - centroids.margin

    def places(self, logs: Logs, had: Places | None = None) -> Places:
        """The places (m,) of m users' segments, and `had` (m,) those that they had: -1 for none.

        The nearest centre's; `unusual` beyond the bound. Who has a segment, `unusual` included,
        keeps it until the margin is passed.
        """
        known = np.full(len(logs), -1, dtype=np.intp) if had is None else had
        found, rows = np.empty(len(logs), dtype=np.intp), logs.places(self.names)
        for first in range(0, len(logs), _SLICE):
            part = slice(first, first + _SLICE)
            z = (logs.values[rows, part] - self._median) / self._spread
            z[logs.missing[rows, part]] = 0.0
            found[part] = self._nearest(z.clip(-LIMIT, LIMIT), known[part])
        return found

    def _nearest(self, z: Floats, had: Places) -> Places:
        k, users = len(self.ids) - 1, np.arange(z.shape[1])
        apart: Floats = np.sqrt(np.square(z[:, None] - self._centre).sum(axis=0))
        near = apart.argmin(axis=0)
        least = apart[near, users]
        known = (had >= 0) & (had < k)
        stays = known & (least >= apart[np.where(known, had, near), users] * self._closer)
        bound = np.where(had == k, self._bound * self._closer, self._bound)
        return np.where(least > bound, k, np.where(stays, had, near))


def assign(
    centroids: Centroids, values: Floats, previous: Sequence[str | None] | None = None
) -> list[str]:
    """Return the segment ids of vectors (n, w) of the features `centroids.names`.

    Ids in `previous` (n,) that are none of these segments' do not count. See `Assigner.places`.
    """
    assigner, logs = Assigner(centroids), Logs.of(centroids.names, values)
    had = None
    if previous is not None:
        if len(previous) != len(values):
            raise ValueError(f"{len(previous)} previous ids for {len(values)} vectors")
        place = {name: j for j, name in enumerate(assigner.ids)}
        had = np.array([place.get(name or "", -1) for name in previous], dtype=np.intp)
    return [assigner.ids[j] for j in assigner.places(logs, had).tolist()]


class Differences:
    """Tells of compiled centroids why a user is in a segment.

    A family of `families` (by feature; one without is its own) counts by how much nearer it brings
    the segment than the one before, in squared spreads. Where there was none, or one that is no
    more, the population's medians are what the user leaves; who is far from all segments is
    compared with the medians alone.
    """

    def __init__(self, centroids: Centroids, families: Mapping[str, str]) -> None:
        self._features = list(centroids.names)
        self._centre = np.array(centroids.centre)
        self._median, self._spread = np.array(centroids.median), np.array(centroids.spread)
        self._usual = rounded(expand(self._median))
        self._places = {name: j for j, name in enumerate(centroids.ids)}
        self._families, self._member = members(self._features, families)

    def of(
        self, vectors: Floats, before: Sequence[str | None], after: Sequence[str]
    ) -> list[list[Because]]:
        """Of vectors (n, w), what puts each into the segment `after` (n,), not into `before` (n,).

        At most TOP families, the most telling first, each with its most telling feature against the
        population's median.
        """
        z = scaled(vectors, self._median, self._spread)
        nearer = self._nearer(z, before, after)
        sums = nearer @ self._member.T
        telling = np.where(self._member, nearer[:, None], -np.inf).argmax(axis=2).tolist()
        order = np.argsort(-sums, axis=1, kind="stable")[:, :TOP].tolist()
        return [
            [self._told(f, j[f], vector) for f in best if total[f] > 0]
            for best, j, vector, total in zip(
                order, telling, vectors.tolist(), sums.tolist(), strict=True
            )
        ]

    def _told(self, family: int, j: int, vector: list[float]) -> Because:
        return told(self._features[j], vector[j], self._usual[j], self._families[family])

    def _nearer(self, z: Floats, before: Sequence[str | None], after: Sequence[str]) -> Floats:
        """By how much (n, w) each feature is nearer to the segment `after` than to `before`."""
        far: Floats = z**2
        from_, to = self._apart(z, far, before), self._apart(z, np.zeros_like(z), after)
        nearer: Floats = from_ - to
        # Near the medians no feature need speak for a first segment; what is farthest is told then.
        told = np.array([name in self._places for name in after], dtype=np.bool_)
        return np.where((told & (nearer > 0).any(axis=1))[:, None], nearer, far)

    def _apart(self, z: Floats, otherwise: Floats, segments: Sequence[str | None]) -> Floats:
        """The squared distances (n, w) from segments' centres; `otherwise` of what is none."""
        places = np.array([self._places.get(name or "", -1) for name in segments], dtype=np.intp)
        known = (places >= 0)[:, None]
        return np.where(known, (z - self._centre[places]) ** 2, otherwise)
