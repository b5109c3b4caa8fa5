"""Counts, sums, maxima and latest times: all rings of a row in one pass over a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import Layout, Rows
from stream_app.features.clocks import Panes
from stream_app.features.selection import Level, Selection
from stream_app.features.selectors import Source
from stream_app.features.storage import DTYPES, Ring
from stream_app.features.units import Events, Frame

#: Kinds of rings that do not count all of their source.
_TOLD: Final = ("session", "cancellation")

#: Events that other state tells of, by kind of ring and source.
Told = dict[tuple[str, Source], NDArray[np.intp]]


class Marks:
    """All rings. A pane's sum has room for nine million greatest amounts."""

    def __init__(
        self, layout: Layout, lengths: dict[Ring, int], sources: tuple[Level, Level]
    ) -> None:
        """`lengths`: of each ring, in panes."""
        self._levels = [
            (by_item, _Rings(layout, lengths, chosen, sources[by_item].number))
            for by_item in (False, True)
            if (chosen := [ring for ring in lengths if ring.source.by_item == by_item])
        ]

    def add(self, rows: Rows, frame: Frame, panes: Panes, selection: Selection, told: Told) -> None:
        """Add a batch; `told`: the events that start a session, or cancel an order."""
        for by_item, rings in self._levels:
            marks = rings.marks(selection.matrix(by_item), told)
            rings.add(rows, frame.level(by_item), panes, marks, frame.most_units)


class _Rings:
    """The rings of a level: a matrix (rings, units) of marks, then one add a group.

    The place of a mark is that of the ring's shape (group, pane, length), plus the ring's offset.
    """

    def __init__(
        self,
        layout: Layout,
        lengths: dict[Ring, int],
        chosen: Sequence[Ring],
        number: dict[Source, int],
    ) -> None:
        rings = sorted(chosen, key=lambda ring: tuple(DTYPES).index(ring.group))
        sizes = [np.dtype(DTYPES[ring.group]).itemsize for ring in rings]
        self._bounds = np.arange(len(rings) + 1)
        self._source = np.array([number[ring.source] for ring in rings])
        self._told = [
            (i, (ring.kind, ring.source)) for i, ring in enumerate(rings) if ring.kind in _TOLD
        ]
        groups = [ring.group for ring in rings]
        self._edges = [
            (group, groups.index(group), groups.index(group) + groups.count(group))
            for group in dict.fromkeys(groups)
        ]
        shapes = [(ring.group, ring.pane, lengths[ring]) for ring in rings]
        distinct = list(dict.fromkeys(shapes))
        self._shape = np.array([distinct.index(shape) for shape in shapes])
        self._shape_shift = self._shape - self._bounds[:-1]
        strides = [layout.size // np.dtype(DTYPES[group]).itemsize for group, _, _ in distinct]
        self._stride = np.array(strides)[:, None]
        times = list(dict.fromkeys((pane, length) for _, pane, length in distinct))
        self._time = np.array([times.index((pane, length)) for _, pane, length in distinct])
        self._pane = np.array([pane for pane, _ in times])
        self._length = np.array([length for _, length in times])[:, None]
        self._offset = np.array(
            [layout.offsets[ring.name] // size for ring, size in zip(rings, sizes, strict=True)]
        )
        # What is added or compared: a field of the units, or ("") their time.
        fields = [ring.source.field if ring.kind in ("sum", "max") else "" for ring in rings]
        self._fields = list(dict.fromkeys(fields))
        self._field_shift = np.array([self._fields.index(f) for f in fields]) - self._bounds[:-1]

    def marks(self, matrix: NDArray[np.bool_], told: Told) -> NDArray[np.bool_]:
        """Which ring each unit is for, (rings, units)."""
        marks: NDArray[np.bool_] = matrix[self._source]
        for i, key in self._told:
            marks[i] = False
            marks[i, told[key]] = True
        return marks

    def add(
        self, rows: Rows, units: Events, panes: Panes, marks: NDArray[np.bool_], most: int
    ) -> None:
        """Add marked units to the rings; no row has more than `most` of them."""
        n = len(units)
        bucket, young = panes.buckets(self._pane, self._length, units)
        if not young.all():
            marks &= young[self._time][self._shape]
        places = units.row * self._stride + bucket[self._time]
        hits = marks.ravel().nonzero()[0]
        edges = hits.searchsorted(self._bounds * n)
        # A hit is ring * n + unit; a shift puts the ring's shape, or field, in the ring's place.
        ring = self._bounds[:-1].repeat(edges[1:] - edges[:-1])
        index = places.ravel()[hits + self._shape_shift[ring] * n] + self._offset[ring]
        values: NDArray[Any] | None = None
        for group, first, last in self._edges:
            part = slice(edges[first], edges[last])
            if part.start == part.stop:
                continue
            cells = rows.view(DTYPES[group])
            if group in ("count", "total"):
                _count(cells, index[part], most)
                continue
            if values is None:
                values = np.array([units.number(f) if f else units.at for f in self._fields])
            shift = self._field_shift[ring[part]] * n
            operation: Any = np.add if group == "sum" else np.maximum
            operation.at(cells, index[part], values.ravel()[hits[part] + shift])


def _count(cells: NDArray[Any], index: NDArray[np.int64], most: int) -> None:
    """Add 1 at each index, up to the dtype's limit; no cell is named more than `most` times."""
    limit = int(np.iinfo(cells.dtype).max)
    if int(cells[index].max()) + most <= limit:
        np.add.at(cells, index, cells.dtype.type(1))
        return
    places, times = np.unique(index, return_counts=True)
    cells[places] = np.minimum(cells[places].astype(np.int64) + times, limit)
