"""Which segment each user belongs to, and what sets a user apart from the population."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.expression import Comparison
from stream_app.learning.lloyd import squared_distances
from stream_app.learning.scale import scaled
from stream_app.learning.scorers import Centroids
from stream_app.learning.transform import expand

Floats = NDArray[np.float64]

#: The segment of those who are far from all others: bots, mostly.
UNUSUAL: Final = "unusual"


def assign(
    centroids: Centroids, values: Floats, previous: Sequence[str | None] | None = None
) -> list[str]:
    """Return the segment ids of vectors (n, w) of the features `centroids.names`.

    The nearest centre's; `unusual` beyond the bound. Who has one of these segments, `unusual`
    included, keeps it until the margin is passed; other ids in `previous` (n,) do not count.
    """
    k = len(centroids.ids)
    apart = np.sqrt(squared_distances(_z(centroids, values), np.array(centroids.centre)))
    near = apart.argmin(axis=1)
    rows = np.arange(len(apart))
    if previous is None:
        chosen, bound = near, np.full(len(apart), centroids.bound)
    else:
        codes = {name: j for j, name in enumerate((*centroids.ids, UNUSUAL))}
        if len(previous) != len(apart):
            raise ValueError(f"{len(previous)} previous ids for {len(apart)} vectors")
        had = np.array([codes.get(name or "", -1) for name in previous], dtype=np.intp)
        known = (had >= 0) & (had < k)
        own = apart[rows, np.where(known, had, near)]
        closer = 1.0 - centroids.margin
        stays = known & (apart[rows, near] >= own * closer)
        chosen = np.where(stays, had, near)
        bound = np.where(had == k, centroids.bound * closer, centroids.bound)
    codes_now = np.where(apart[rows, near] > bound, k, chosen)
    labels = (*centroids.ids, UNUSUAL)
    return [labels[code] for code in codes_now.tolist()]


def reasons(centroids: Centroids, vector: Floats, count: int = 3) -> list[Comparison]:
    """Return how the vector (w,) differs from the population's medians, the farthest feature first.

    Features that are missing, or as in the median, say nothing.
    """
    z = _z(centroids, vector[None])[0]
    usual = expand(np.array(centroids.median))
    found = []
    for j in np.argsort(-np.abs(z), kind="stable")[:count].tolist():
        # Out of the logarithm and back, 18 is 17.999999999999996.
        value, median = float(vector[j]), float(f"{usual[j]:.9g}")
        if z[j] and value != median:
            op = ">" if value > median else "<"
            found.append(Comparison(centroids.names[j], op, value, median))
    return found


def _z(centroids: Centroids, values: Floats) -> Floats:
    if values.ndim != 2 or values.shape[1] != len(centroids.names):
        raise ValueError(f"vectors of shape {values.shape} for {len(centroids.names)} features")
    return scaled(values, np.array(centroids.median), np.array(centroids.spread))
