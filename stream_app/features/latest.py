"""The text of the latest event that carries a field; the greatest (time, id hash) wins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import Layout, Rows
from stream_app.features.selection import Selection
from stream_app.features.selectors import Source
from stream_app.features.storage import Latest
from stream_app.features.units import Frame


class LatestTexts:
    """All `last` features at once: a cell is a row and a feature."""

    def __init__(self, layout: Layout, latest: list[Latest]) -> None:
        self._layout = layout
        order = layout.index("last_at")
        self._sources = sorted(
            (one.source for one in latest),
            key=lambda source: order.index(f"{Latest(source).name}:at"),
        )

    def update(self, rows: Rows, frame: Frame, selection: Selection) -> None:
        """Take over what is later than the rows know."""
        parts = [self._of(i, source, frame, selection) for i, source in enumerate(self._sources)]
        if not parts:
            return
        cell, event, code = (np.concatenate(column) for column in zip(*parts, strict=True))
        if not len(cell):
            return
        at, hashes, codes = (
            np.ascontiguousarray(self._layout.block(rows, name)).ravel()
            for name in ("last_at", "last_hash", "last_code")
        )
        before = at.copy()
        np.maximum.at(at, cell, frame.at[event])
        hashes[at > before] = 0
        best = frame.at[event] == at[cell]
        cell, event, code = cell[best], event[best], code[best]
        np.maximum.at(hashes, cell, frame.batch.id_hash[event])
        best = frame.batch.id_hash[event] == hashes[cell]
        codes[cell[best]] = code[best]
        for name, values in (("last_at", at), ("last_hash", hashes), ("last_code", codes)):
            view = self._layout.block(rows, name)
            view[...] = values.reshape(view.shape)

    def _of(
        self, number: int, source: Source, frame: Frame, selection: Selection
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint16]]:
        positions = selection.positions(source)
        units = selection.units(source)
        event = units.events(positions)
        cell = frame.row[event] * len(self._sources) + number
        return cell, event, units.codes(source.field, positions)
