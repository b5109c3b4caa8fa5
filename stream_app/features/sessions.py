"""Where sessions start: at an event more than the gap after all that came before it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import Layout, Rows
from stream_app.features.marks import Told
from stream_app.features.runs import Runs
from stream_app.features.selection import Selection
from stream_app.features.storage import SessionEnd
from stream_app.features.units import Frame

#: Lifts each run above the ones before it, so that one running maximum serves them all. Greater
#: than any event time (year 2527), and 2^18 of it fit in 63 bits.
_LIFT: Final = 1 << 44


class Sessions:
    """Depends on the order of one topic, event by event in log order."""

    def __init__(self, layout: Layout, ends: list[SessionEnd], gap_ms: int) -> None:
        self._places = [(end.source, end.name) for end in ends]
        self._gap_ms = gap_ms

    def starts(self, rows: Rows, frame: Frame, selection: Selection) -> Told:
        """Events that start a session; moves the sessions' ends on."""
        return {
            ("session", source): self._starts(rows[name], frame, selection.positions(source))
            for source, name in self._places
        }

    def _starts(
        self,
        ends: NDArray[np.int64],
        frame: Frame,
        positions: NDArray[np.intp],
    ) -> NDArray[np.intp]:
        if not len(positions):
            return positions
        runs = Runs(frame.row[positions], len(ends))
        events = positions[runs.order]
        at = frame.at[events]
        lift = runs.number * _LIFT
        latest = np.maximum.accumulate(at + lift) - lift
        before = np.empty_like(at)
        before[1:] = latest[:-1]
        ended = ends[runs.rows]
        before[runs.starts] = ended
        np.maximum(before, runs.spread(ended), out=before)
        ends[runs.rows] = np.maximum(ended, latest[runs.starts + runs.lengths - 1])
        return events[at - before > self._gap_ms]
