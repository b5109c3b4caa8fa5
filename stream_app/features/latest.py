"""The text of the latest event that carries a field; the greatest (time, id hash) wins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import Layout, Rows
from stream_app.features.selection import Selection
from stream_app.features.storage import Latest
from stream_app.features.units import Frame


class LatestTexts:
    """All `last` features."""

    def __init__(self, layout: Layout, latest: list[Latest]) -> None:
        order = layout.index("last_at")
        self._latest = sorted(latest, key=lambda one: order.index(f"{one.name}:at"))
        self._names = [
            (f"{one.name}:at", f"{one.name}:hash", f"{one.name}:code") for one in self._latest
        ]

    def update(self, rows: Rows, frame: Frame, selection: Selection) -> None:
        """Take over what is later than the rows know."""
        for one, names in zip(self._latest, self._names, strict=True):
            source, positions = one.source, selection.positions(one.source)
            if len(positions):
                units = selection.units(source)
                events = units.events(positions)
                _take(
                    [rows[name] for name in names],
                    units.row[positions],
                    frame.at[events],
                    frame.batch.id_hash[events],
                    units.codes(source.field, positions),
                )


def _take(
    known: list[NDArray[Any]],
    row: NDArray[np.intp],
    at: NDArray[np.int64],
    id_hash: NDArray[np.uint32],
    code: NDArray[np.uint16],
) -> None:
    known_at, known_hash, known_code = known
    before = known_at[row]
    np.maximum.at(known_at, row, at)
    latest = known_at[row]
    known_hash[row[latest > before]] = 0
    best = at == latest
    row, id_hash, code = row[best], id_hash[best], code[best]
    np.maximum.at(known_hash, row, id_hash)
    best = id_hash == known_hash[row]
    known_code[row[best]] = code[best]
