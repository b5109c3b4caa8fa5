"""Events of a batch grouped by row, each row's in their order: what sequential state needs."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SMALL = 1 << 16


class Runs:
    """One run a row that has events: `rows`, and `lengths`; both (runs,).

    `order` lists the events run by run; `rank` (events,) counts from 0 in each run.
    """

    def __init__(self, row: NDArray[np.intp], row_count: int) -> None:
        # Stable sorts of two-byte keys are radix sorts, ten times faster.
        key = row.astype(np.uint16) if row_count <= _SMALL else row
        order = key.argsort(kind="stable")
        self._set(order, row[order])

    def _set(self, order: NDArray[np.intp], sorted_rows: NDArray[np.intp]) -> None:
        # Methods, not functions: their wrappers cost more than small batches themselves.
        n = len(order)
        self.order = order
        first = np.ones(n, np.bool_)
        np.not_equal(sorted_rows[1:], sorted_rows[:-1], out=first[1:])
        self.starts = first.nonzero()[0]
        self.rows = sorted_rows[self.starts]
        self.lengths = np.empty_like(self.starts)
        np.subtract(self.starts[1:], self.starts[:-1], out=self.lengths[:-1])
        self.lengths[-1:] = n - self.starts[-1:]

    @property
    def longest(self) -> int:
        return int(self.lengths.max(initial=0))

    @cached_property
    def rank(self) -> NDArray[np.intp]:
        rank: NDArray[np.intp] = np.arange(len(self.order)) - self.spread(self.starts)
        return rank

    @cached_property
    def number(self) -> NDArray[np.intp]:
        """Number of the run that each of `order` is in."""
        number: NDArray[np.intp] = self.spread(np.arange(len(self.rows)))
        return number

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """A value a run, repeated for each of its events in `order`."""
        return values.repeat(self.lengths)

    def events(self, run: int) -> NDArray[np.intp]:
        """The events of one run, in order."""
        start = self.starts[run]
        return self.order[start : start + self.lengths[run]]

    def without(self, runs: NDArray[np.bool_]) -> Runs:
        """The runs that are not marked."""
        kept = ~self.spread(runs)
        rest = Runs.__new__(Runs)
        rest._set(self.order[kept], self.spread(self.rows)[kept])
        return rest
