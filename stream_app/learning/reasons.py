"""Why a logistic score is high or low: what sets a user apart from the population, by family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.because import Because
from stream_app.learning.scorers import Logistic
from stream_app.learning.telling import TOP, members, rounded, told
from stream_app.learning.transform import Design, Floats, columns_of, expand


class Contributions:
    """Tells of a scorer what families of features add to the logit beyond the population's mean.

    `families` are by column; a column without one is its own. Each family is told by its most
    telling feature, whose reference is typical of those in the population who have one: the mean of
    the logarithms, written as a plain value.
    """

    def __init__(self, scorer: Logistic, families: Mapping[str, str]) -> None:
        self._columns: Final = columns_of(scorer.names)
        self._design = Design(self._columns)
        self._mean, self._scale = np.array(scorer.mean), np.array(scorer.scale)
        self._weights, self._reference = np.array(scorer.weights), np.array(scorer.reference)
        self._names, self._member = members(self._columns, families)
        self._by_family = np.argsort(self._member.argmax(axis=0), kind="stable")
        sizes = self._member.sum(axis=1)
        self._first = np.cumsum(sizes) - sizes
        self._typical = rounded(self._usual())

    def of(self, vectors: Floats, rises: NDArray[np.bool_], top: int = TOP) -> list[list[Because]]:
        """Return what speaks most for each vector (n, c), or where not `rises` (n,) against it.

        At most `top` families, the strongest first, of those that move the logit that way.
        """
        if not len(vectors):
            return []
        added = self._added(vectors)
        sums = self._sums(added)
        sign = np.where(rises, 1.0, -1.0)[:, None]
        best = np.argsort(-sums * sign, axis=1, kind="stable")[:, :top]
        within = np.where(self._member[best], (added * sign)[:, None], -np.inf)
        totals = np.take_along_axis(sums, best, axis=1)
        cells = (best, within.argmax(axis=2), totals, vectors, rises)
        return [
            [
                told(self._columns[j], vector[j], self._typical[j], self._names[f], total)
                for f, j, total in zip(families, features, adds, strict=True)
                if (total > 0 if up else total < 0)
            ]
            for families, features, adds, vector, up in zip(
                *(c.tolist() for c in cells), strict=True
            )
        ]

    def every(self, vector: Floats) -> list[Because]:
        """Return what each family adds to the logit of one vector (1, c), in the columns' order.

        The sum, and that of the scorer's `reference` and intercept, is the logit.
        """
        added = self._added(vector)
        found = []
        for f, total in enumerate(self._sums(added)[0].tolist()):
            sign = 1.0 if total >= 0 else -1.0
            j = int(np.where(self._member[f], added[0] * sign, -np.inf).argmax())
            value = float(vector[0, j])
            found.append(told(self._columns[j], value, self._typical[j], self._names[f], total))
        return found

    def _added(self, vectors: Floats) -> Floats:
        """What each column adds (n, c); its indicator belongs to it."""
        count = len(self._columns)
        z = (self._design.matrix(vectors) - self._mean) / self._scale
        added = self._weights * z - self._reference
        both: Floats = added[:, :count] + added[:, count:]
        return both

    def _sums(self, added: Floats) -> Floats:
        """The sums (n, f) by family: of a user always the same, whoever else is asked about."""
        sums: Floats = np.add.reduceat(added[:, self._by_family], self._first, axis=1)
        return sums

    def _usual(self) -> Floats:
        """The population's plain values (c,), NaN where there are none."""
        count = len(self._columns)
        # The reference is weights * z; without a weight nothing is known but the scaler's mean.
        some = self._weights != 0
        z = np.divide(self._reference, self._weights, out=np.zeros(2 * count), where=some)
        mean = self._mean + self._scale * z
        present = 1.0 - mean[count:]
        # Missing values stand as 0 in the mean.
        having = present > 1e-9
        return expand(np.divide(mean[:count], present, out=np.full(count, np.nan), where=having))
