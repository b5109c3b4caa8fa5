"""How many different texts: linear counting over 64 registers (Whang et al. 1990).

A text's hash picks a register, which keeps the age in panes of its latest event. With z registers
empty in a window the estimate is 64 ln(64 / z); its standard error is about 11 % up to 64 texts
and 15 % up to 128, and beyond 310 texts it says 310.
"""

from __future__ import annotations

from typing import Any, Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import Strings
from stream_app.domain.layout import Layout, Rows
from stream_app.features.clocks import Panes
from stream_app.features.rings import clock_of
from stream_app.features.selection import Selection
from stream_app.features.storage import EMPTY, REGISTERS, Registers
from stream_app.features.units import Events, Frame
from stream_app.features.windows import ALL, PANE_MS

#: MurmurHash3's finalizer spreads the bits of a CRC; the top six bits pick the register.
_SPREAD: Final = tuple(
    (np.uint32(shift), np.uint32(factor))
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1))
)
_TOP_BITS: Final = np.uint32(26)
#: Estimate by the number of empty registers; none empty counts as half a one.
_ESTIMATE: Final = np.array(
    [REGISTERS * np.log(REGISTERS / max(empty, 0.5)) for empty in range(REGISTERS + 1)]
)


class DistinctTexts:
    """All `distinct` features: the youngest age wins in a register."""

    def __init__(self, layout: Layout, registers: dict[Registers, int]) -> None:
        """`registers`: each with the longest window that is read, in panes."""
        self._stride = layout.size
        self._places = [(r, layout.offsets[r.name], window) for r, window in registers.items()]

    def add(self, rows: Rows, frame: Frame, panes: Panes, selection: Selection) -> None:
        """Enter a batch's texts."""
        hashes: dict[tuple[bool, str], NDArray[np.uint8]] = {}
        for registers, offset, window in self._places:
            source = registers.source
            units, positions = selection.units(source), selection.positions(source)
            if not len(positions):
                continue
            key = (source.by_item, source.field)
            if key not in hashes:
                hashes[key] = _registers(units, source.field)
            events = units.events(positions)
            place = units.row[positions] * self._stride + offset + hashes[key][positions]
            age = np.zeros(len(events), np.int64)
            if registers.pane != ALL:
                age = panes.age[registers.pane][events]
                young = age < window
                place, age = place[young], age[young]
            np.minimum.at(rows.view(np.uint8), place, age.astype(np.uint8))


def estimate(rows: Rows, registers: Registers, window: int, now: int) -> NDArray[np.float64]:
    """Number of different texts in the window that ends at `now`."""
    ages = rows[registers.name]
    limit: Any = EMPTY
    if registers.pane != ALL:
        lag = now // PANE_MS[registers.pane] - clock_of(rows, registers.pane)
        # An age is in the window when it is below `window - lag`, and a row ahead of `now` is not.
        limit = np.maximum(window - np.maximum(lag, 0), 0).astype(np.uint8)[:, None]
    used = np.add.reduce(ages < limit, axis=1, dtype=np.intp)
    found: NDArray[np.float64] = _ESTIMATE[REGISTERS - used]
    return found


def _registers(units: Events, field: str) -> NDArray[np.uint8]:
    column: Strings = units.text(field)
    hashes = [crc32(text.encode("utf-8", "surrogatepass")) for text in column.values]
    # The absent are -1, which reads the last entry.
    spread = np.array([*hashes, 0], np.uint32)
    for shift, factor in _SPREAD:
        spread = (spread ^ (spread >> shift)) * factor
    return (spread >> _TOP_BITS).astype(np.uint8)[column.codes]
