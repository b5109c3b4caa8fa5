"""Feature values of some rows at one moment, worked out when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import MISSING
from stream_app.domain.expression import Text
from stream_app.features.dictionary import NO_TEXT, Dictionary
from stream_app.features.rings import Reader

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weighted:
    """A list feature: texts by weight, heaviest first. `codes` int32 (n, k) are the dictionary's,
    -1 where the list ends; `shares` float64 (n, k) add up to 1 in a row that has any."""

    codes: NDArray[np.int32]
    shares: Floats
    values: Sequence[str]


Column = Floats | Text | Weighted
Make = Callable[["Values"], Column]


class Values(Mapping[str, Column]):
    """Column by feature name: float64 (n,) with NaN for missing, Text, or Weighted.

    Reads the rows at the first use of a name, so use it before they are folded again.
    """

    def __init__(self, makers: Mapping[str, Make], reader: Reader, strings: Dictionary) -> None:
        self._makers = makers
        self._done: dict[str, Column] = {}
        # What columns are made of.
        self.reader = reader
        self.rows = reader.rows
        self.now = reader.now
        self.strings = strings

    def __getitem__(self, name: str) -> Column:
        found = self._done.get(name)
        if found is None:
            found = self._done[name] = self._makers[name](self)
        return found

    def number(self, name: str) -> Floats:
        """The column of a feature that is a number."""
        column: Any = self[name]
        floats: Floats = column
        return floats

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def ratio(above: Floats, below: Floats) -> Floats:
    """Missing where either is, and where `below` is 0."""
    divisor = below.copy()
    divisor[below == 0] = np.nan
    return above / divisor


def amount(minor: NDArray[np.int64], scale: float) -> Floats:
    """Major units, NaN where MISSING."""
    major = minor / scale
    major[minor == MISSING] = np.nan
    return major


def elapsed(now: int, since: NDArray[np.int64], unit_ms: int, never: int) -> Floats:
    """Time since an event in units, not below 0; NaN where `since` is `never`."""
    # What is never may wrap around.
    passed = np.maximum(now - since, 0) / unit_ms
    passed[since == never] = np.nan
    return passed


def text(codes: NDArray[np.uint16], strings: Dictionary) -> Text:
    """A text column of dictionary codes."""
    wide = codes.astype(np.int32)
    wide[codes == NO_TEXT] = -1
    return Text(wide, strings.values)
