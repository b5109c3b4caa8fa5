"""Which segment each user belongs to, and what puts a user there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.changes import Because
from stream_app.learning.logs import Logs
from stream_app.learning.scale import LIMIT, scaled
from stream_app.learning.scorers import Centroids
from stream_app.learning.telling import TOP, members, told
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


def reasons(
    centroids: Centroids,
    vector: Floats,
    families: Mapping[str, str],
    before: str | None = None,
    after: str = UNUSUAL,
) -> list[Because]:
    """Return what makes the segment `after` nearer to a vector (w,) than `before` is.

    At most TOP families, the most telling first, each with its most telling feature against the
    population's median. Where there was no segment, or one that is no more, the population's
    medians are what the user leaves; who is far from all is compared with them alone.
    """
    z = _z(centroids, vector)
    nearer = _nearer(centroids, z, before, after)
    usual = expand(np.array(centroids.median))
    names, member = members(centroids.names, families)
    sums = member @ nearer
    found = []
    for f in np.argsort(-sums, kind="stable")[:TOP].tolist():
        j = int(np.where(member[f], nearer, -np.inf).argmax())
        if sums[f] > 0:
            found.append(told(centroids.names[j], vector[j], usual[j], names[f]))
    return found


def _nearer(centroids: Centroids, z: Floats, before: str | None, after: str) -> Floats:
    """By how much (w,), in squared spreads, each feature is nearer to `after` than to `before`."""
    place = {name: j for j, name in enumerate(centroids.ids)}
    far: Floats = z**2
    if after not in place:
        return far
    centre = np.array(centroids.centre)
    left = far if before not in place else (z - centre[place[before or ""]]) ** 2
    nearer: Floats = left - (z - centre[place[after]]) ** 2
    # Near the medians no feature need speak for a first segment; what is farthest is told then.
    return nearer if (nearer > 0).any() else far


def _z(centroids: Centroids, vector: Floats) -> Floats:
    z: Floats = scaled(vector[None], np.array(centroids.median), np.array(centroids.spread))[0]
    return z
