"""Counting events, and keeping the latest: all rings of a row in one pass over a batch."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import Layout, Rows
from stream_app.features.clocks import Panes
from stream_app.features.selectors import Source
from stream_app.features.storage import DTYPES, Ring
from stream_app.features.units import TYPE_TABLE_SIZE, Frame
from stream_app.features.where import Selection, type_table

#: Groups in the order of the rings in the matrix.
_GROUPS: Final = ("count", "total", "peak")
#: Kinds of rings that do not count all of their source.
_TOLD: Final = ("session", "cancellation")
#: Added to a place, it stays far below 0: the event is older than the ring.
_DEAD: Final = -(1 << 60)

#: Events that other state tells of, by kind of ring and source.
Told = dict[tuple[str, Source], NDArray[np.intp]]


class Marks:
    """Counting and since rings: a matrix (rings, events) of marks, then one add a dtype."""

    def __init__(self, layout: Layout, rings: dict[Ring, int]) -> None:
        """`rings`: each with its length in panes."""
        chosen = [ring for ring in rings if ring.kind not in ("sum", "max")]
        self._rings = sorted(chosen, key=lambda ring: _GROUPS.index(ring.group))
        n = len(self._rings)
        self._table = np.zeros((n, TYPE_TABLE_SIZE), np.bool_)
        self._special: list[tuple[int, Ring]] = []
        self._by_line: list[tuple[int, Ring]] = []
        for i, ring in enumerate(self._rings):
            if ring.source.by_item:
                self._by_line.append((i, ring))
            elif ring.kind in _TOLD or ring.source.where or ring.source.field:
                self._special.append((i, ring))
            else:
                self._table[i] = type_table(ring.source.types)
        groups = [ring.group for ring in self._rings]
        self._edges = {g: (groups.index(g), n - groups[::-1].index(g)) for g in set(groups)}
        self._shapes = list(dict.fromkeys(_shape(ring, rings) for ring in self._rings))
        shape_of = [self._shapes.index(_shape(ring, rings)) for ring in self._rings]
        self._shape = np.array(shape_of, np.int64)
        self._strides = [layout.size // np.dtype(DTYPES[g]).itemsize for g, _, _ in self._shapes]
        self._offset = np.array(
            [layout.offsets[r.name] // np.dtype(DTYPES[r.group]).itemsize for r in self._rings],
            np.int64,
        )

    def add(self, rows: Rows, frame: Frame, panes: Panes, selection: Selection, told: Told) -> None:
        """Mark a batch; `told`: the events that start a session, or cancel an order."""
        if not self._rings:
            return
        n = len(frame.row)
        hits = self._matrix(frame, selection, told).ravel().nonzero()[0]
        edges = hits.searchsorted(np.arange(len(self._rings) + 1) * n)
        counts = edges[1:] - edges[:-1]
        places, dead = self._places(frame, panes)
        # A hit is ring * n + event; to find its place, the ring's shape takes the ring's part.
        shift = (self._shape - np.arange(len(self._rings))) * n
        index = places.ravel()[hits + shift.repeat(counts)] + self._offset.repeat(counts)
        for group, (first, last) in self._edges.items():
            part = slice(edges[first], edges[last])
            cells = rows.view(DTYPES[group])
            if group == "peak":
                np.maximum.at(cells, index[part], frame.at[hits[part] % n])
                continue
            found = np.concatenate((index[part], *self._lines(group, frame, selection, places)))
            _add(cells, found[found >= 0] if dead else found, frame.most_units)

    def _matrix(self, frame: Frame, selection: Selection, told: Told) -> NDArray[np.bool_]:
        """Which ring each event is for, (rings, events)."""
        marks = self._table[:, frame.events.type]
        for i, ring in self._special:
            if ring.kind in _TOLD:
                marks[i, told[ring.kind, ring.source]] = True
            else:
                marks[i, selection.positions(ring.source)] = True
        return marks

    def _lines(
        self, group: str, frame: Frame, selection: Selection, places: NDArray[np.int64]
    ) -> list[NDArray[np.int64]]:
        """Flat places of what is counted line by line: an event may count more than once."""
        return [
            places[self._shape[i], frame.items.events(selection.positions(ring.source))]
            + self._offset[i]
            for i, ring in self._by_line
            if ring.group == group
        ]

    def _places(self, frame: Frame, panes: Panes) -> tuple[NDArray[np.int64], bool]:
        """Per shape and event the flat place of its bucket, less the ring's own offset."""
        places = np.empty((len(self._shapes), len(frame.row)), np.int64)
        dead = False
        for i, (_, pane, length) in enumerate(self._shapes):
            bucket, young = panes.buckets(pane, length, slice(None))
            places[i] = frame.row * self._strides[i] + bucket
            if young is not None:
                places[i, ~young] = _DEAD
                dead = True
        return places, dead


def _shape(ring: Ring, rings: dict[Ring, int]) -> tuple[str, int, int]:
    return ring.group, ring.pane, rings[ring]


def _add(cells: NDArray[Any], index: NDArray[np.int64], most: int) -> None:
    """Add 1 at each index, up to the dtype's limit; no cell is named more than `most` times."""
    if not len(index):
        return
    limit = int(np.iinfo(cells.dtype).max)
    if int(cells[index].max()) + most <= limit:
        np.add.at(cells, index, cells.dtype.type(1))
        return
    places, times = np.unique(index, return_counts=True)
    cells[places] = np.minimum(cells[places].astype(np.int64) + times, limit)
