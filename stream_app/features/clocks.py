"""The panes that rows have come to, and the clearing of buckets that a step forward leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import Layout, Rows
from stream_app.features.storage import EMPTY
from stream_app.features.units import Events
from stream_app.features.windows import ALL, NO_PANE, PANE_MS, PANE_NAMES

#: Pane widths in ms, as a column.
_WIDTHS: Final = np.array(PANE_MS)[:, None]


@dataclass(frozen=True, slots=True)
class Block:
    """Rings of one group, pane width and length: a view (n, rings, length) of rows."""

    name: str
    pane: int
    length: int
    fill: int


@dataclass(frozen=True, slots=True)
class Panes:
    """The pane of each event, and its age against its row's clock (>= 0), both (pane widths, n);
    of ALL, and of widths that no ring has, the age is 0."""

    number: NDArray[np.int64]
    age: NDArray[np.int64]

    def buckets(
        self, panes: NDArray[np.intp], lengths: NDArray[np.int64], units: Events
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Buckets of units in some rings (`lengths` a column), and which are young enough."""
        number, age = self.number[panes], self.age[panes]
        if units.event is not None:
            number, age = number[:, units.event], age[:, units.event]
        return number % lengths, age < lengths


class Clocks:
    """Moves rows to the panes of their events; bucket of a pane in a ring = pane % length."""

    def __init__(
        self, layout: Layout, blocks: list[Block], registers: Mapping[int, list[int]]
    ) -> None:
        """`registers`: per pane width, the oldest age + 1 that each distinct count looks at."""
        self._layout = layout
        self._blocks = blocks
        self._limits = {p: np.array(ages)[:, None] for p, ages in registers.items()}
        panes = {block.pane for block in blocks} | set(registers)
        self._panes = sorted(panes - {ALL})

    def advance(
        self,
        rows: Rows,
        row: NDArray[np.intp],
        at: NDArray[np.int64],
        live: NDArray[np.intp] | slice,
    ) -> Panes:
        """Advance to the latest pane of the `live` events."""
        number = at // _WIDTHS
        age = np.zeros_like(number)
        for pane in self._panes:
            clock = rows[f"clock:{PANE_NAMES[pane]}"]
            age[pane] = clock[row] - number[pane]
            # Most batches are of the pane that their rows are in already.
            if (age[pane, live] < 0).any():
                age[pane] = (
                    self._advance(rows, pane, row[live], number[pane, live])[row] - number[pane]
                )
        return Panes(number, age)

    def _advance(
        self, rows: Rows, pane: int, row: NDArray[np.intp], number: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        clock = rows[f"clock:{PANE_NAMES[pane]}"]
        old = clock.astype(np.int64)
        new = old.copy()
        np.maximum.at(new, row, number)
        moved = ((new > old) & (old != NO_PANE)).nonzero()[0]
        if len(moved):
            for block in self._blocks:
                if block.pane == pane:
                    view = self._layout.block(rows, block.name)
                    _clear(view, moved, old[moved], new[moved], block)
            if pane in self._limits:
                view = self._layout.block(rows, f"distinct:{PANE_NAMES[pane]}")
                _grow_older(view, moved, (new - old)[moved], self._limits[pane])
        clock[...] = new
        return new


def _clear(
    view: NDArray[Any],
    moved: NDArray[np.intp],
    old: NDArray[np.int64],
    new: NDArray[np.int64],
    block: Block,
) -> None:
    """Empty the buckets of the panes after `old`, to `new`."""
    steps = new - old
    whole = steps >= block.length
    if whole.any():
        view[moved[whole]] = block.fill
        part = ~whole
        moved, old, steps = moved[part], old[part], steps[part]
    start = np.cumsum(steps) - steps
    step = np.arange(int(steps.sum())) - np.repeat(start, steps)
    bucket = (np.repeat(old + 1, steps) + step) % block.length
    view[np.repeat(moved, steps), :, bucket] = block.fill


def _grow_older(
    view: NDArray[np.uint8],
    moved: NDArray[np.intp],
    steps: NDArray[np.int64],
    limits: NDArray[np.int64],
) -> None:
    age = view[moved].astype(np.uint16) + np.minimum(steps, EMPTY).astype(np.uint16)[:, None, None]
    view[moved] = np.where(age >= limits, EMPTY, age)
