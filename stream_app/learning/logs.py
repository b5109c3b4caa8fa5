"""Features of some users as models look at them: logarithms, taken once for all models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.learning.transform import Floats, compress

Places = NDArray[np.intp]

#: Values at a time, so that what is worked out on the way stays in the cache.
_AT_ONCE: Final = 8_000


class Logs:
    """Of the features `names` (c,) of m users: `values` (c, m) and where they are `missing` (c, m).

    As in a design matrix: sign(x) * log1p(|x|), clipped, and 0 where missing. A row for each
    feature, because models go through users by feature.
    """

    def __init__(self, names: Sequence[str], columns: Sequence[Floats]) -> None:
        """Take the plain columns (m,), NaN where missing; at least one."""
        plain = np.stack(columns).astype(np.float64, copy=False)
        missing = np.isnan(plain)
        np.copyto(plain, 0.0, where=missing)
        at_once = max(1, _AT_ONCE // max(1, plain.shape[1]))
        for first in range(0, len(plain), at_once):
            part = slice(first, first + at_once)
            plain[part] = compress(plain[part])
        self.values: Final = plain
        self.missing: Final = missing
        self._places = {name: place for place, name in enumerate(names)}

    @classmethod
    def of(cls, names: Sequence[str], vectors: Floats) -> Logs:
        """Of vectors (m, c); ValueError for another width."""
        if vectors.ndim != 2 or vectors.shape[1] != len(names):
            raise ValueError(f"vectors of shape {vectors.shape} for {len(names)} columns")
        return cls(names, list(vectors.T))

    def __len__(self) -> int:
        """How many users."""
        count: int = self.values.shape[1]
        return count

    def places(self, names: Sequence[str]) -> Places:
        """In which rows the features are."""
        return np.array([self._places[name] for name in names], dtype=np.intp)
