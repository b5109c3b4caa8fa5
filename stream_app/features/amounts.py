"""Sums and maxima of numbers: rings of int64, money in minor units."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import Layout, Rows
from stream_app.features.clocks import Panes
from stream_app.features.storage import Ring
from stream_app.features.units import Frame
from stream_app.features.where import Selection

_ITEM_SIZE: Final = 8


class Amounts:
    """Rings of sums, or of maxima. A pane's sum has room for nine million greatest amounts."""

    def __init__(self, layout: Layout, rings: dict[Ring, int], kind: str) -> None:
        self._add: Any = np.add.at if kind == "sum" else np.maximum.at
        self._stride = layout.size // _ITEM_SIZE
        self._rings = [
            (ring, length, layout.offsets[ring.name] // _ITEM_SIZE)
            for ring, length in rings.items()
            if ring.kind == kind
        ]

    def add(self, rows: Rows, frame: Frame, panes: Panes, selection: Selection) -> None:
        """Add a batch's amounts to the panes that they belong to."""
        found = [self._of(ring, frame, panes, selection) for ring in self._rings]
        if found:
            index, amounts = (np.concatenate(column) for column in zip(*found, strict=True))
            self._add(rows.view(np.int64), index, amounts)

    def _of(
        self, placed: tuple[Ring, int, int], frame: Frame, panes: Panes, selection: Selection
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        ring, length, offset = placed
        units = selection.units(ring.source)
        positions = selection.positions(ring.source)
        events = units.events(positions)
        bucket, young = panes.buckets(ring.pane, length, events)
        index = frame.row[events] * self._stride + offset + bucket
        amounts = units.number(ring.source.field)[positions]
        return (index, amounts) if young is None else (index[young], amounts[young])
