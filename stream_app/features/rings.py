"""Reading rings: sums and maxima over windows that end at `now`, without moving the rows' clocks.

A bucket belongs to one pane at a given `now`, the same in all rows; in rows whose clock stands
before that pane the bucket still holds an older one, and counts as empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import MISSING
from stream_app.domain.layout import Layout, Rows
from stream_app.features.clocks import Block
from stream_app.features.storage import Ring, block_of
from stream_app.features.windows import ALL, PANE_MS, PANE_NAMES


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ring is: its block, its number in it, and the windows that the block is read by."""

    block: Block
    number: int
    windows: tuple[int, ...]


class Geometry:
    """All rings of a layout; shared by folding, reading and `due`."""

    def __init__(self, layout: Layout, rings: dict[Ring, set[int]]) -> None:
        self.layout = layout
        self.lengths = {ring: max(windows) for ring, windows in rings.items()}
        self.windows = rings
        members: dict[str, list[Ring]] = {}
        for ring, length in self.lengths.items():
            members.setdefault(block_of(ring, length), []).append(ring)
        self.blocks: list[Block] = []
        self.places: dict[Ring, Place] = {}
        for name, group in members.items():
            first, order = group[0], layout.index(name)
            fill = int(layout.field(first.name).fill)
            block = Block(name, first.pane, self.lengths[first], fill)
            windows = tuple(sorted(set().union(*(rings[ring] for ring in group))))
            self.blocks.append(block)
            for ring in group:
                self.places[ring] = Place(block, order.index(ring.name), windows)


class Age:
    """Ages in panes of a ring's buckets at `now`, and where rows lag behind."""

    def __init__(self, block: Block, now: int) -> None:
        self.pane = now // PANE_MS[block.pane]
        self.length = block.length
        self.of_bucket = _ages(block.length, self.pane % block.length)

    def mask(self, windows: tuple[int, ...], dtype: type) -> NDArray[Any]:
        """1 where a window takes a bucket, else 0, (length, windows)."""
        return _mask(self.length, self.pane % self.length, windows, dtype)

    def valid(self, clock: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which buckets hold the pane that belongs to them at `now`, (rows, length)."""
        behind = (clock - self.pane)[:, None] + self.of_bucket
        return (behind >= 0) & (behind < self.length)


# There are few lengths, and as many phases as panes: small tables, made once.
@lru_cache(maxsize=4_096)
def _ages(length: int, phase: int) -> NDArray[np.int64]:
    return (phase - np.arange(length)) % length


@lru_cache(maxsize=4_096)
def _mask(length: int, phase: int, windows: tuple[int, ...], dtype: type) -> NDArray[Any]:
    return (_ages(length, phase)[:, None] < np.array(windows)).astype(dtype)


def clock_of(rows: Rows, pane: int) -> NDArray[np.int64]:
    """The latest pane that each row has come to."""
    clock: NDArray[np.int64] = rows[f"clock:{PANE_NAMES[pane]}"].astype(np.int64)
    return clock


class Standing:
    """Where rows stand at `now` in panes of one width: `clock` (rows,), the `current` pane, and
    which rows are `lagging`, that is are not there."""

    def __init__(self, rows: Rows, pane: int, now: int) -> None:
        self.current = now // PANE_MS[pane]
        self.clock = clock_of(rows, pane)
        self.lagging: NDArray[np.intp] = (self.clock != self.current).nonzero()[0]


class Reader:
    """What one look at some rows at one `now` has computed; each block is read once."""

    def __init__(self, geometry: Geometry, rows: Rows, now: int) -> None:
        self.rows = rows
        self.now = now
        self._geometry = geometry
        self._sums: dict[str, NDArray[Any]] = {}
        self._cells: dict[str, NDArray[Any]] = {}
        self._standings: dict[int, Standing] = {}

    def sum(self, place: Place, window: int) -> NDArray[np.float64]:
        """Sum of a count, session or sum ring over a window, by its number in `place`, (rows,)."""
        sums = self._sums.get(place.block.name)
        if sums is None:
            sums = self._sums[place.block.name] = self._window_sums(place)
        column: NDArray[np.float64] = sums[place.number, window]
        return column

    def max(self, ring: Ring, window: int) -> NDArray[np.int64]:
        """Greatest amount of a max or since ring over a window; MISSING where none."""
        place = self._geometry.places[ring]
        block = place.block
        column = self._view(block)[:, place.number]
        if block.pane == ALL:
            return column[:, 0].copy()
        age = Age(block, self.now)
        seen = age.valid(self._standing(block.pane).clock) & (age.of_bucket < window)
        greatest: NDArray[np.int64] = np.where(seen, column, MISSING).max(axis=1)
        return greatest

    def days(self, ring: Ring, window: int) -> NDArray[np.float64]:
        """How many panes of a window hold anything."""
        place = self._geometry.places[ring]
        cells = self._filled(place.block)[:, place.number]
        age = Age(place.block, self.now)
        used: NDArray[np.float64] = np.add.reduce(
            (cells != 0) & (age.of_bucket < window), axis=1, dtype=np.float64
        )
        return used

    def _window_sums(self, place: Place) -> NDArray[np.float64]:
        """Sums by ring and window, (rings, windows, rows)."""
        if place.block.pane == ALL:
            sums = self._view(place.block)
        else:
            cells = self._filled(place.block)
            mask = Age(place.block, self.now).mask(place.windows, cells.dtype.type)
            n, rings, length = cells.shape
            sums = (cells.reshape(n * rings, length) @ mask).reshape(n, rings, -1)
        return sums.transpose(1, 2, 0).astype(np.float64, order="C")

    def _filled(self, block: Block) -> NDArray[Any]:
        """A block's cells as floats, 0 where a bucket holds an outdated pane."""
        if block.name not in self._cells:
            # Float32 is exact here: 48 panes of up to 65,535 stay below 2^24.
            exact = np.float32 if block.name.startswith("count") else np.float64
            cells: NDArray[Any] = self._view(block).astype(exact)
            standing = self._standing(block.pane)
            clock, lagging = standing.clock, standing.lagging
            if 2 * len(lagging) > len(clock):
                cells *= Age(block, self.now).valid(clock)[:, None, :]
            elif len(lagging):
                cells[lagging] *= Age(block, self.now).valid(clock[lagging])[:, None, :]
            self._cells[block.name] = cells
        return self._cells[block.name]

    def _standing(self, pane: int) -> Standing:
        found = self._standings.get(pane)
        if found is None:
            found = self._standings[pane] = Standing(self.rows, pane, self.now)
        return found

    def _view(self, block: Block) -> NDArray[Any]:
        return self._geometry.layout.block(self.rows, block.name)
