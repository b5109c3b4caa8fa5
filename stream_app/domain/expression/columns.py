"""What a condition is evaluated on: named columns, and what was already computed of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
#: Column by name: float64 (n,) with NaN for missing, or a TextColumn of n codes.
Environment = Mapping[str, Any]
_NONE: Final[Mapping[str, float]] = MappingProxyType({})


class TextColumn(Protocol):
    """A text column: `codes` int32 (n,) into `values`, negative where missing."""

    @property
    def codes(self) -> NDArray[np.int32]: ...
    @property
    def values(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Text:
    """The plain TextColumn."""

    codes: NDArray[np.int32]
    values: Sequence[str]


class Frame:
    """An environment with a memory: what is asked for twice is computed once.

    Give one Frame to several expressions to evaluate the comparisons that they share only once.
    It is valid as long as the columns do not change. `quantiles` are those of all users by name
    ("q90.spend_30d"): one number for all rows, missing where there is none.
    """

    __slots__ = ("_memo", "_quantiles", "columns", "sides")

    def __init__(self, columns: Environment, quantiles: Mapping[str, float] = _NONE) -> None:
        self.columns = columns
        self._quantiles = quantiles
        #: Where each condition is true (under True) and false (under False), by its key.
        self.sides: dict[bool, dict[str, Bools]] = {True: {}, False: {}}
        self._memo: dict[Any, Any] = {}

    @staticmethod
    def of(environment: Environment | Frame) -> Frame:
        """`environment` itself when it is a Frame already."""
        return environment if isinstance(environment, Frame) else Frame(environment)

    def once(self, key: Any, compute: Callable[[Frame], Any]) -> Any:
        """The result of `compute(self)`, computed at the first call with this `key`."""
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = compute(self)
        return found

    def quantile(self, name: str) -> np.float64:
        """A quantile of all users, NaN where it is not known."""
        return np.float64(self._quantiles.get(name, np.nan))

    def text(self, name: str) -> TextColumn:
        """A text column."""
        column: TextColumn = self._column(name)
        return column

    def codes_of(self, name: str, wanted: Collection[str]) -> list[int]:
        """Codes that occur in a text column and stand for one of the `wanted` texts."""
        column = self.text(name)
        # There can be far more texts than rows: look only at those that occur.
        present = self.once(("codes", name), lambda frame: set(column.codes.tolist()))
        return [code for code in present if code >= 0 and column.values[code] in wanted]

    def _column(self, name: str) -> Any:
        found = self._memo.get(name)
        if found is None:
            found = self._memo[name] = self.columns[name]
        return found


def same_text(left: TextColumn, right: TextColumn) -> Bools:
    """Where two text columns hold the same text; False where either is missing."""
    present = (left.codes >= 0) & (right.codes >= 0)
    if left.values is right.values:
        same: Bools = present & (left.codes == right.codes)
        return same
    rows = np.flatnonzero(present)
    equal = np.zeros(len(present), dtype=np.bool_)
    pairs = zip(left.codes[rows].tolist(), right.codes[rows].tolist(), strict=True)
    equal[rows] = [left.values[a] == right.values[b] for a, b in pairs]
    return equal
