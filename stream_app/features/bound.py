"""Features over rows of one layout: fold events in, read values out, and tell what is due."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import EventBatch
from stream_app.domain.layout import Layout, Rows
from stream_app.features.cancellations import Cancellations
from stream_app.features.clocks import Clocks
from stream_app.features.columns import elapsed_units, maker
from stream_app.features.cost import FeatureCost
from stream_app.features.dictionary import Dictionary
from stream_app.features.distinct import DistinctTexts
from stream_app.features.due import ElapsedDue, PaneDue, Plan
from stream_app.features.ids import Ids
from stream_app.features.latest import LatestTexts
from stream_app.features.localtime import LocalTime
from stream_app.features.marks import Marks
from stream_app.features.rings import Geometry, Reader
from stream_app.features.selection import Selection, levels
from stream_app.features.sessions import Sessions
from stream_app.features.slots import SlotTexts
from stream_app.features.storage import (
    Bought,
    Latest,
    Registers,
    Ring,
    SessionEnd,
    Slots,
)
from stream_app.features.units import NO_TYPE, Frame
from stream_app.features.values import Values
from stream_app.features.where import Conditions

if TYPE_CHECKING:
    from stream_app.features.compile import Features


@dataclass(frozen=True, slots=True)
class Folded:
    """`duplicates` bool (n,): the events that were dropped because they had been seen before."""

    duplicates: NDArray[np.bool_]


class BoundFeatures:
    """What `fold` writes in a row depends on the row and its events alone, not on how events are
    split into batches (decayed weights: up to rounding)."""

    def __init__(self, layout: Layout, features: Features) -> None:
        self._features = features
        self._minor_per_major = 10.0**features.settings.exponent
        storages, settings = features.storages, features.settings
        rings = {s: w for s, w in storages.items() if isinstance(s, Ring)}
        registers = {s: w for s, w in storages.items() if isinstance(s, Registers)}
        self._geometry = Geometry(layout, rings)
        self._sources = levels(storage.source for storage in storages)
        self._conditions = Conditions(
            LocalTime(settings.timezone), settings.night, self._minor_per_major
        )
        self._ids = Ids(layout)
        self._clocks = Clocks(layout, self._geometry.blocks, _limits(layout, registers))
        ends = [s for s in storages if isinstance(s, SessionEnd)]
        self._sessions = Sessions(layout, ends, settings.session_gap_ms)
        self._cancellations = Cancellations([s for s in storages if isinstance(s, Bought)])
        self._marks = Marks(layout, self._geometry.lengths, self._sources)
        self._distinct = DistinctTexts(layout, {one: max(w) for one, w in registers.items()})
        self._latest = LatestTexts(layout, [s for s in storages if isinstance(s, Latest)])
        self._slots = SlotTexts(layout, [s for s in storages if isinstance(s, Slots)])
        self._makers = {
            name: maker(declaration, self._geometry, self._minor_per_major)
            for name, declaration in features.declarations.items()
        }
        self._pane_due = PaneDue(self._geometry, registers)
        self._elapsed_due = ElapsedDue(elapsed_units(features.declarations))
        self._plans: dict[Hashable, Plan] = {}

    def fold(
        self, rows: Rows, index: NDArray[np.intp], batch: EventBatch, strings: Dictionary
    ) -> Folded:
        """Add a batch's events to `rows` in place; `index` (n,) is the row of each event.

        `rows` is a contiguous working copy, in which no user has two rows.
        """
        if not len(batch):
            return Folded(np.zeros(0, np.bool_))
        duplicates = self._ids.drop(rows, index, batch)
        live: NDArray[np.intp] | slice = slice(None)
        types = batch.type
        if duplicates.any():
            live = np.flatnonzero(~duplicates)
            types = np.where(duplicates, np.uint8(NO_TYPE), types)
        frame = Frame(batch, index, types, strings)
        _see(rows, index[live], batch.at[live])
        panes = self._clocks.advance(rows, index, batch.at, live)
        selection = Selection(frame, self._conditions, self._sources)
        starts = self._sessions.starts(rows, frame, selection)
        cancels = self._cancellations.find(rows, frame, selection)
        self._marks.add(rows, frame, panes, selection, starts | cancels)
        self._distinct.add(rows, frame, panes, selection)
        self._latest.update(rows, frame, selection)
        self._slots.update(rows, frame, selection)
        return Folded(duplicates)

    def pass_time(self, rows: Rows, at: NDArray[np.int64]) -> None:
        """Bring the panes of `rows` (n,) to where events at `at` (n,), in ms, would bring them."""
        self._clocks.advance(rows, np.arange(len(rows)), at, slice(None))

    def values(self, rows: Rows, now: int, strings: Dictionary) -> Values:
        """The features of `rows` at `now` (epoch ms); texts are looked up in `strings`."""
        return Values(self._makers, Reader(self._geometry, rows, now), strings)

    def due(
        self,
        rows: Rows,
        now: int,
        thresholds: Mapping[str, Sequence[float]],
        opaque: Collection[str] = (),
    ) -> NDArray[np.int64]:
        """The next moment after `now` at which a value can change without an event, or NEVER.

        Features that change all the time (`Features.passing`) count when they pass one of their
        `thresholds`, or at each full hour when they are `opaque`. A ratio over one of them always
        is. Other names are ignored.
        """
        key = (*((name, tuple(of)) for name, of in thresholds.items()), frozenset(opaque))
        plan = self._plans.get(key)
        if plan is None:
            hourly = self._hourly(thresholds, opaque)
            plan = self._plans[key] = self._elapsed_due.plan(thresholds, hourly)
        return np.minimum(self._pane_due.due(rows, now), self._elapsed_due.due(rows, now, plan))

    def describe(self) -> list[FeatureCost]:
        """What each feature costs in a row."""
        return self._features.describe()

    def _hourly(
        self, thresholds: Mapping[str, Sequence[float]], opaque: Collection[str]
    ) -> set[str]:
        """Features whose time must be looked at each hour: opaque ones, and parts of ratios."""
        hourly = set(opaque)
        pending = [name for name in (*thresholds, *opaque) if self._is_ratio(name)]
        while pending:
            parts = self._features.declarations[pending.pop()].of
            hourly.update(parts)
            pending += [part for part in parts if self._is_ratio(part)]
        return hourly

    def _is_ratio(self, name: str) -> bool:
        declaration = self._features.declarations.get(name)
        return declaration is not None and declaration.kind == "ratio"


def _see(rows: Rows, row: NDArray[np.intp], at: NDArray[np.int64]) -> None:
    """First and last event times; a blank row is born at its first event."""
    if not len(row):
        return
    born = rows["born"]
    # Backwards, so that of a user's events the first one stays.
    new = (born[row] == 0).nonzero()[0][::-1]
    if len(new):
        born[row[new]] = at[new]
    np.minimum.at(rows["first_seen"], row, at)
    np.maximum.at(rows["last_seen"], row, at)


def _limits(layout: Layout, registers: Mapping[Registers, set[int]]) -> dict[int, list[int]]:
    """The longest window of each distinct count, by pane width, in the order of its block."""
    longest = {one.name: max(windows) for one, windows in registers.items()}
    blocks = {one.pane: layout.field(one.name).block for one in registers}
    return {pane: [longest[name] for name in layout.index(b)] for pane, b in blocks.items()}
