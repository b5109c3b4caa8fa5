"""When a row's values can change without an event: panes that leave windows, and thresholds."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import MISSING
from stream_app.domain.layout import Rows
from stream_app.features.clocks import Block
from stream_app.features.rings import Age, Geometry, clock_of
from stream_app.features.storage import EMPTY, NEVER, Registers, Ring
from stream_app.features.windows import ALL, HOUR_MS, PANE_MS, PANE_NAMES

#: Urgency of what leaves in d panes is _SOON - d; 0 is what never leaves.
_SOON: Final = 255

Times = NDArray[np.int64]


class PaneDue:
    """Next boundary at which a pane that is not empty leaves a window that a feature reads."""

    def __init__(self, geometry: Geometry, registers: Mapping[Registers, set[int]]) -> None:
        self._geometry = geometry
        self._layout = geometry.layout
        self._steps = {
            block.name: _steps(_members(geometry, block), geometry.windows, block.length)
            for block in geometry.blocks
            if block.pane != ALL
        }
        panes = sorted({one.pane for one in registers} - {ALL})
        self._registers: dict[int, NDArray[np.uint8]] = {}
        for pane in panes:
            order = self._layout.index(_register_block(pane))
            members = sorted(
                (one for one in registers if one.pane == pane), key=lambda o: order.index(o.name)
            )
            self._registers[pane] = _steps(members, registers, _SOON + 1)

    def due(self, rows: Rows, now: int) -> Times:
        """Epoch ms per row, NEVER where no window holds anything."""
        due = np.full(len(rows), NEVER)
        panes = {block.pane for block in self._geometry.blocks} | set(self._registers)
        for pane in sorted(panes - {ALL}):
            clock, current = clock_of(rows, pane), now // PANE_MS[pane]
            urgency = np.zeros(len(rows), np.uint8)
            for block in self._geometry.blocks:
                if block.pane == pane:
                    np.maximum(urgency, self._of_rings(rows, block, clock, now), out=urgency)
            if pane in self._registers:
                np.maximum(urgency, self._of_registers(rows, pane, clock, now), out=urgency)
            urgency[clock > current] = _SOON - 1
            boundary = (current + _SOON - urgency.astype(np.int64)) * PANE_MS[pane]
            np.minimum(due, boundary, out=due, where=urgency > 0)
        return due

    def _of_rings(self, rows: Rows, block: Block, clock: Times, now: int) -> NDArray[np.uint8]:
        view = self._layout.block(rows, block.name)
        age = Age(block, now)
        filled = view != block.fill
        lagging = (clock != age.pane).nonzero()[0]
        if len(lagging):
            filled[lagging] &= age.valid(clock[lagging])[:, None, :]
        urgency = self._steps[block.name][:, age.of_bucket]
        n = len(rows)
        weighed = filled.reshape(n, -1) * urgency.ravel()
        most: NDArray[np.uint8] = weighed.max(axis=1, initial=0)
        return most

    def _of_registers(self, rows: Rows, pane: int, clock: Times, now: int) -> NDArray[np.uint8]:
        view = self._layout.block(rows, _register_block(pane))
        urgency = self._steps_of(view, pane, np.maximum(now // PANE_MS[pane] - clock, 0))
        most: NDArray[np.uint8] = urgency.reshape(len(rows), -1).max(axis=1, initial=0)
        return most

    def _steps_of(self, view: NDArray[np.uint8], pane: int, lag: Times) -> NDArray[np.uint8]:
        age = np.minimum(view + np.minimum(lag, EMPTY)[:, None, None], EMPTY)
        table = self._registers[pane]
        found: NDArray[np.uint8] = table[np.arange(len(table))[:, None], age]
        return found


def _register_block(pane: int) -> str:
    return f"distinct:{PANE_NAMES[pane]}"


def _members(geometry: Geometry, block: Block) -> list[Ring]:
    members = [ring for ring, place in geometry.places.items() if place.block is block]
    return sorted(members, key=lambda ring: geometry.places[ring].number)


def _steps(
    members: Sequence[Any], windows: Mapping[Any, Iterable[int]], ages: int
) -> NDArray[np.uint8]:
    """Urgency of a pane by the storage it is in and its age, (members, ages)."""
    table = np.zeros((len(members), ages), np.uint8)
    for i, member in enumerate(members):
        for window in sorted(windows[member], reverse=True):
            for age in range(min(window, ages)):
                table[i, age] = _SOON - (window - age)
    return table


class ElapsedDue:
    """When time since an event passes a threshold, to the millisecond."""

    def __init__(self, units: Mapping[str, int]) -> None:
        """`units`: ms in a unit, by feature."""
        self._units = units

    def due(
        self,
        since: Mapping[str, Times],
        now: int,
        thresholds: Mapping[str, Sequence[float]],
        opaque: Collection[str],
        n: int,
    ) -> Times:
        """Epoch ms per row; `since`: by feature the event's time, MISSING or NEVER if none."""
        due = np.full(n, NEVER)
        hour = (now // HOUR_MS + 1) * HOUR_MS
        times, offsets = [], []
        for name, begun in since.items():
            # NEVER may not be added to.
            known = np.where(begun == NEVER, MISSING, begun)
            if name in opaque:
                np.minimum(due, hour, out=due, where=known != MISSING)
            passed = {
                moment
                for threshold in thresholds.get(name, ())
                for moment in crossings(float(threshold), self._units[name])
            }
            times += [known] * len(passed)
            offsets += sorted(passed)
        if not offsets:
            return due
        moments = np.stack(times) + np.array(offsets)[:, None]
        moments[moments <= now] = NEVER
        np.minimum(due, moments.min(axis=0), out=due)
        return due


@lru_cache(maxsize=4_096)
def crossings(threshold: float, unit_ms: int) -> tuple[int, ...]:
    """Elapsed ms at which `elapsed / unit_ms` in float64 first is at, and above, a threshold.

    Nothing for thresholds that elapsed time never crosses.
    """
    if not 0 <= threshold * unit_ms < 2.0**53:
        return ()
    first = max(math.floor(threshold * unit_ms) - 2, 0)
    while first / unit_ms < threshold:
        first += 1
    above = first
    while above / unit_ms <= threshold:
        above += 1
    return tuple(sorted({first, above} - {0}))
