"""From a vector of features to the numbers that models learn from: logarithm, clip, indicators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Largest size of a transformed value; a plain value of 485,165,194 is there.
CLIP: Final = 20.0
#: Ends the name of the indicator that says where a column's value is missing.
MISSING: Final = "?"


class Design:
    """The design matrix of some columns: every column and then every column's indicator.

    A value x becomes sign(x) * log1p(|x|), clipped to [-CLIP, CLIP]; a missing one (NaN) becomes
    0, and 1 in the indicator. Money and counts are heavy-tailed: without the logarithm one rich
    user moves every weight. No value, infinity included, leads outside the clip.

    >>> design = Design(["spend", "age"])
    >>> design.row([np.expm1(2.0), np.nan])
    {'spend': 2.0, 'age': 0.0, 'spend?': 0.0, 'age?': 1.0}
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns: Final = tuple(columns)
        self.names: Final = self.columns + tuple(name + MISSING for name in columns)
        if len(set(self.names)) < len(self.names):
            raise ValueError("a column's name occurs twice, or is that of another one's indicator")

    def matrix(self, values: Floats) -> Floats:
        """Return the design matrix (n, 2 c) of the vectors (n, c); ValueError for another width."""
        count = len(self.columns)
        if values.ndim != 2 or values.shape[1] != count:
            raise ValueError(f"vectors of shape {values.shape} for {count} columns")
        missing = np.isnan(values)
        design = np.empty((len(values), 2 * count))
        design[:, :count] = compress(np.where(missing, 0.0, values))
        design[:, count:] = missing
        return design

    def row(self, values: Sequence[float] | Floats) -> dict[str, float]:
        """Return one vector (c,) by name, for River: exactly the row of the matrix."""
        row: list[float] = self.matrix(np.array([values], dtype=np.float64))[0].tolist()
        return dict(zip(self.names, row, strict=True))


def compress(values: Floats) -> Floats:
    """Return sign(x) * log1p(|x|), clipped."""
    clipped: Floats = np.copysign(np.minimum(np.log1p(np.abs(values)), CLIP), values)
    return clipped


def expand(values: Floats) -> Floats:
    """Undo `compress`, up to rounding and to what was clipped; values beyond `CLIP` count as it."""
    plain: Floats = np.copysign(np.expm1(np.minimum(np.abs(values), CLIP)), values)
    return plain


def columns_of(names: Sequence[str]) -> tuple[str, ...]:
    """The columns of a design's names; ValueError where these are not columns and indicators."""
    columns = tuple(names[: len(names) // 2])
    if Design(columns).names != tuple(names):
        raise ValueError("names are not columns and then their indicators")
    return columns
