"""What is unusual about a user: the families of features that are farthest from the population."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from stream_app.domain.because import Because
from stream_app.learning.scorers import HalfSpaceTrees
from stream_app.learning.telling import TOP, members, rounded, told
from stream_app.learning.transform import Design, Floats, columns_of, expand

#: A median of the indicators above this: most users have no value.
_MOSTLY: Final = 0.5


class Oddness:
    """Tells it of the users that trees have found; `families` are by column."""

    def __init__(self, scorer: HalfSpaceTrees, families: Mapping[str, str]) -> None:
        self._columns = columns_of(scorer.names)
        count = len(self._columns)
        self._design = Design(self._columns)
        self._median, self._spread = np.array(scorer.median), np.array(scorer.spread)
        self._rare = self._median[count:] > _MOSTLY
        self._usual = rounded(np.where(self._rare, np.nan, expand(self._median[:count])))
        self._names, self._member = members(self._columns, families)

    def of(self, vectors: Floats) -> list[list[Because]]:
        """Return what sets each vector (n, c) apart, the farthest first: at most TOP families.

        A family is as far as its farthest feature, in spreads from the population's median; a
        missing value, or one where most have none, as far as its indicator.
        """
        count = len(self._columns)
        z = np.abs((self._design.matrix(vectors) - self._median) / self._spread)
        far = np.where(np.isnan(vectors) | self._rare, z[:, count:], z[:, :count])
        # (n, families, c): a feature is as far in its own family, and nowhere in others.
        apart = np.where(self._member, far[:, None], -1.0)
        order = np.argsort(-apart.max(axis=2), axis=1, kind="stable")[:, :TOP]
        farthest = apart.argmax(axis=2)
        cells = (vectors, far, farthest, order)
        return [
            [
                told(self._columns[j], vector[j], self._usual[j], self._names[f])
                for f in best
                if apart_of[j := of_family[f]] > 0
            ]
            for vector, apart_of, of_family, best in zip(*(c.tolist() for c in cells), strict=True)
        ]
