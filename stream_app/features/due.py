"""When a row's values can change without an event: panes that leave windows, and thresholds."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import MISSING
from stream_app.domain.layout import Rows
from stream_app.features.clocks import Block
from stream_app.features.rings import Age, Geometry, Standing
from stream_app.features.storage import EMPTY, NEVER, Registers, Ring
from stream_app.features.windows import ALL, HOUR_MS, PANE_MS, PANE_NAMES

#: Urgency of what leaves in d panes is _SOON - d; 0 is what never leaves.
_SOON: Final = 255
_PANES_AHEAD: Final = _SOON - np.arange(_SOON + 1)

Times = NDArray[np.int64]


class PaneDue:
    """Next boundary at which a pane that is not empty leaves a window that a feature reads."""

    def __init__(self, geometry: Geometry, registers: Mapping[Registers, set[int]]) -> None:
        self._layout = geometry.layout
        self._blocks: dict[int, list[Block]] = {}
        self._steps: dict[str, NDArray[np.uint8]] = {}
        for block in geometry.blocks:
            if block.pane != ALL:
                self._blocks.setdefault(block.pane, []).append(block)
                members = _members(geometry, block)
                self._steps[block.name] = _steps(members, geometry.windows, block.length)
        self._registers: dict[int, NDArray[np.uint8]] = {}
        for pane in sorted({one.pane for one in registers} - {ALL}):
            order = self._layout.index(_register_block(pane))
            counts = sorted(
                (one for one in registers if one.pane == pane), key=lambda o: order.index(o.name)
            )
            self._registers[pane] = _steps(counts, registers, _SOON + 1)
        self._panes = sorted(self._blocks.keys() | self._registers.keys())
        # Urgency by bucket, of each block and phase of its panes.
        self._weights: dict[tuple[str, int], NDArray[np.uint8]] = {}

    def due(self, rows: Rows, now: int) -> Times:
        """Epoch ms per row, NEVER where no window holds anything."""
        due = np.full(len(rows), NEVER)
        for pane in self._panes:
            standing = Standing(rows, pane, now)
            blocks = self._blocks.get(pane, ())
            urgencies = [self._of_rings(rows, block, standing, now) for block in blocks]
            if pane in self._registers:
                urgencies.append(self._of_registers(rows, pane, standing))
            urgency = reduce(np.maximum, urgencies)
            if len(standing.lagging):
                urgency[standing.clock > standing.current] = _SOON - 1
            boundary = (standing.current + _PANES_AHEAD) * PANE_MS[pane]
            boundary[0] = NEVER
            np.minimum(due, boundary[urgency], out=due)
        return due

    def _of_rings(
        self, rows: Rows, block: Block, standing: Standing, now: int
    ) -> NDArray[np.uint8]:
        filled = self._layout.block(rows, block.name) != block.fill
        age, lagging = Age(block, now), standing.lagging
        if len(lagging):
            filled[lagging] &= age.valid(standing.clock[lagging])[:, None, :]
        key = block.name, standing.current % block.length
        weights = self._weights.get(key)
        if weights is None:
            weights = self._weights[key] = self._steps[block.name][:, age.of_bucket].ravel()
        most: NDArray[np.uint8] = (filled.reshape(len(rows), -1) * weights).max(axis=1, initial=0)
        return most

    def _of_registers(self, rows: Rows, pane: int, standing: Standing) -> NDArray[np.uint8]:
        table, age = self._registers[pane], self._layout.block(rows, _register_block(pane))
        if len(standing.lagging):
            lag = np.clip(standing.current - standing.clock, 0, EMPTY)
            age = np.minimum(age + lag[:, None, None], EMPTY)
        urgency = table[np.arange(len(table))[:, None], age]
        most: NDArray[np.uint8] = urgency.reshape(len(rows), -1).max(axis=1, initial=0)
        return most


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


@dataclass(frozen=True, slots=True)
class Plan:
    """Fields of rows with the times of events; which one, and how many ms after it, each moment
    to be looked at is; and which fields are to be looked at each hour."""

    fields: list[str]
    number: NDArray[np.intp]
    after: NDArray[np.int64]
    hourly: list[int]


class ElapsedDue:
    """When time since an event passes a threshold, to the millisecond."""

    def __init__(self, units: Mapping[str, tuple[str, int]]) -> None:
        """`units`: the row's field and the ms in a unit, by feature."""
        self._units = units

    def plan(self, thresholds: Mapping[str, Sequence[float]], hourly: Collection[str]) -> Plan:
        """What to look at; `hourly`: the features to be looked at each hour."""
        wanted = [name for name in self._units if name in thresholds or name in hourly]
        passed = [
            (number, moment)
            for number, name in enumerate(wanted)
            for moment in sorted(
                {
                    moment
                    for threshold in thresholds.get(name, ())
                    for moment in crossings(float(threshold), self._units[name][1])
                }
            )
        ]
        return Plan(
            [self._units[name][0] for name in wanted],
            np.array([number for number, _ in passed], np.intp),
            np.array([moment for _, moment in passed], np.int64)[:, None],
            [number for number, name in enumerate(wanted) if name in hourly],
        )

    @staticmethod
    def due(rows: Rows, now: int, plan: Plan) -> Times:
        """Epoch ms per row, NEVER where there is nothing to wait for."""
        shape = len(plan.fields), len(rows)
        since = np.array([rows[field].ravel() for field in plan.fields], np.int64).reshape(shape)
        # NEVER may not be added to; whatever it is added to, MISSING is past.
        since[since == NEVER] = MISSING
        moments = since[plan.number] + plan.after
        moments[moments <= now] = NEVER
        due: Times = moments.min(axis=0, initial=NEVER)
        if plan.hourly:
            hour = (now // HOUR_MS + 1) * HOUR_MS
            known = (since[plan.hourly] != MISSING).any(axis=0)
            np.minimum(due, hour, out=due, where=known)
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
