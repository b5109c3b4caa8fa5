"""Segments of scaled vectors: where they are, how far is unusual, and whom they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.learning.kmeans import KMeans
from stream_app.learning.lloyd import squared_distances
from stream_app.learning.scale import LIMIT, Scale
from stream_app.learning.scorers import Centroids, Twin

Floats = NDArray[np.float64]

#: Standard deviations, by the median's spread, beyond which a distance is no one's usual.
_FAR: Final = 3.5
#: Values above this would make sums infinite.
_MOST_WORTH: Final = 1e15


def fitted(
    z: Floats,
    centres: Floats,
    rng: np.random.Generator,
    trim: float,
    scale: Scale,
    old: Centroids | None,
) -> Floats:
    """Fit from where the segments stood, if as many, else from `centres`, the largest first."""
    k = len(centres)
    goes_on = old is not None and len(old.ids) == k
    if old is not None and goes_on:
        centres = _moved(old, scale.features, scale.median, scale.spread)
    seed = int(rng.integers(2**31))
    model = KMeans(scale.features, k, warm_up=k, retained=len(z), trim=trim, seed=seed)
    model.broadcast(centres)
    model.learn_many(z)
    model.refit()
    assert model.centres is not None
    if goes_on:
        return model.centres
    sizes = np.bincount(model.predict_many(z), minlength=k)
    found: Floats = model.centres[np.argsort(-sizes, kind="stable")]
    return found


def plain_centroids(
    z: Floats, centres: Floats, scale: Scale, budget: float, margin: float
) -> Centroids:
    """Return the segments of a fit, with their numbers as ids."""
    squared = squared_distances(z, centres)
    apart = np.sqrt(squared.min(axis=1))
    bound = _bound(apart, budget)
    sizes = np.bincount(squared.argmin(axis=1)[apart <= bound], minlength=len(centres))
    return Centroids(
        ids=[str(j) for j in range(len(centres))],
        names=list(scale.features),
        centre=centres.tolist(),
        median=scale.median.tolist(),
        spread=scale.spread.tolist(),
        bound=bound,
        sizes=sizes.tolist(),
        margin=margin,
        dropped=[
            Twin(feature=one.feature, like=one.like, correlation=min(1.0, max(-1.0, one.r)))
            for one in scale.dropped
        ],
    )


def nearest(z: Floats, centroids: Centroids) -> NDArray[np.intp]:
    """Return the numbers of the segments (n,) of scaled vectors; k for those who are unusual."""
    squared = squared_distances(z, np.array(centroids.centre))
    beyond = np.sqrt(squared.min(axis=1)) > centroids.bound
    found: NDArray[np.intp] = np.where(beyond, len(centroids.ids), squared.argmin(axis=1))
    return found


def shares(labels: NDArray[np.intp], worth: Floats, k: int) -> list[float]:
    """Return each segment's share of the sum of `worth` (n,), negative and missing ones left out.

    Exact sums, which do not depend on the order.
    """
    worth = np.where(worth > 0, np.minimum(worth, _MOST_WORTH), 0.0)
    whole = fsum(worth.tolist())
    return [min(1.0, fsum(worth[labels == j].tolist()) / whole) if whole else 0.0 for j in range(k)]


def moved(centroids: Centroids, to: Centroids) -> dict[str, float]:
    """How far segments went from one fit `to` the next, in its spreads, by the ids of both."""
    centres = _moved(centroids, to.names, np.array(to.median), np.array(to.spread))
    where = dict(zip(centroids.ids, centres, strict=True))
    return {
        name: float(np.linalg.norm(np.array(centre) - where[name]))
        for name, centre in zip(to.ids, to.centre, strict=True)
        if name in where
    }


def _moved(centroids: Centroids, names: Sequence[str], median: Floats, spread: Floats) -> Floats:
    """Return centres as they are on another scale; a feature that they lack is at the median."""
    logs = np.array(centroids.centre) * centroids.spread + centroids.median
    by_name: Mapping[str, Floats] = dict(zip(centroids.names, logs.T, strict=True))
    found = [
        (by_name.get(name, np.full(len(logs), middle)) - middle) / width
        for name, middle, width in zip(names, median, spread, strict=True)
    ]
    # No user is farther out than that, however narrow the scale has become.
    return np.array(found).T.clip(-LIMIT, LIMIT)


def _bound(apart: Floats, budget: float) -> float:
    """Return the distance that is unusual, and that at most the budget is beyond.

    Median and median deviation are what those who are usual make them, however far others are.
    """
    middle = np.median(apart)
    robust = middle + _FAR * 1.4826 * np.median(np.abs(apart - middle))
    return float(max(robust, np.quantile(apart, 1.0 - budget, method="higher")))
