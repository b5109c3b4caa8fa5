"""k-means with River's interface: reproducible, in batches, and not moved by a single event."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from river import base

from stream_app.learning.lloyd import fit_centres, squared_distances
from stream_app.learning.tally import Tally, refuse

Floats = NDArray[np.float64]


class KMeans(base.Clusterer):
    """Centres that stand still between fits, and a tally of what came to each of them since.

    `features` are the names of the vectors' entries, in order, which must be scaled already.
    `n_clusters` centres are first fitted when `warm_up` vectors have been learned; after that only
    `refit` moves them, by Lloyd on the `retained` latest vectors, from where they are and from
    k-means++ (the best of 6). `tally` is mergeable with those of others that were given the same
    centres by `broadcast`. Vectors with values that are missing, not finite or beyond ±1,024 are
    refused by ValueError, whereby nothing is learned.

    River's own `cluster.KMeans` differs between processes, follows every event with its default
    half-life, is ruined by one NaN and does not learn in batches.
    """

    def __init__(
        self,
        features: Sequence[str],
        n_clusters: int = 5,
        warm_up: int = 200,
        retained: int = 5_000,
        trim: float = 0.0,
        seed: int = 0,
    ) -> None:
        if not features or not 1 <= n_clusters <= warm_up <= retained:
            raise ValueError("needs features, and 1 <= n_clusters <= warm_up <= retained")
        self.features: Final = tuple(features)
        self.n_clusters: Final = n_clusters
        self.warm_up: Final = warm_up
        self.retained: Final = retained
        self.trim: Final = trim
        self.seed: Final = seed
        self.centres: Floats | None = None
        self.tally: Tally = Tally.none(n_clusters, len(self.features))
        self.fits: int = 0
        self._sample: deque[Floats] = deque(maxlen=retained)

    def learn_one(self, x: dict[base.typing.FeatureName, Any]) -> None:
        """Learn a vector by feature name; others than `features` are ignored."""
        self.learn_many(self._row(x))

    def predict_one(self, x: dict[base.typing.FeatureName, Any]) -> int:
        """Return the nearest centre's number; 0 before there are any."""
        return int(self.predict_many(self._row(x))[0])

    def learn_many(self, values: Floats) -> None:
        """Learn vectors (n, w), with the same result as one by one."""
        self._check(values)
        values = np.array(values, dtype=np.float64)
        if self.centres is None:
            missing = self.warm_up - len(self._sample)
            self._sample.extend(values[:missing])
            if len(self._sample) < self.warm_up:
                return
            self.refit()
            values = values[missing:]
        self._sample.extend(values)
        self.tally += Tally.of(values, self._fitted())

    def predict_many(self, values: Floats) -> NDArray[np.intp]:
        """Return the nearest centres' numbers (n,)."""
        self._check(values)
        if self.centres is None:
            return np.zeros(len(values), dtype=np.intp)
        found: NDArray[np.intp] = squared_distances(values, self.centres).argmin(axis=1)
        return found

    def refit(self) -> None:
        """Fit the centres to the retained vectors and begin a new tally.

        ValueError where fewer of them differ than there are centres.
        """
        # A generator of its own for each fit: what came before does not depend on how it came.
        rng = np.random.default_rng((self.seed, self.fits))
        sample = np.array(self._sample).reshape(-1, len(self.features))
        fit = fit_centres(sample, self.n_clusters, rng, warm=self.centres, trim=self.trim)
        self.fits += 1
        self.broadcast(fit.centres)

    def broadcast(self, centres: Floats) -> None:
        """Take over centres (k, w) that were fitted elsewhere and begin a new tally."""
        shape = (self.n_clusters, len(self.features))
        if centres.shape != shape:
            raise ValueError(f"centres of shape {centres.shape}, not {shape}")
        refuse(centres, self.features)
        self.centres = centres.copy()
        self.tally = Tally.none(*shape)

    def _fitted(self) -> Floats:
        assert self.centres is not None
        return self.centres

    def _row(self, x: dict[base.typing.FeatureName, Any]) -> Floats:
        # An absent feature is as missing as one that is None.
        return np.array([[x.get(name) for name in self.features]], dtype=np.float64)

    def _check(self, values: Floats) -> None:
        if values.ndim != 2 or values.shape[1] != len(self.features):
            raise ValueError(f"vectors of shape {values.shape} for {len(self.features)} features")
        refuse(values, self.features)
