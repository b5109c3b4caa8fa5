"""The rate over a steady window: from one moment to a later one of the same backlog.

Marks lie in the backlog, after every slice in every topic and partition. One that has come out says
how many events before it are done, durably and to be read. A contender with transactions shows them
commit by commit, so both ends of the window are moments just after what came at once has all come:
neither the first commit, with what happened before it, nor the last, which waits for its interval
with nothing left to do, is in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

#: The window begins when this share of the backlog has come out, and ends before this one has.
BEGIN, END = 0.1, 0.95
#: What comes within this time (s) came at once.
SETTLE_S = 0.25
#: Less than this (s) is no steady window.
SHORTEST_S = 3.0


@dataclass(frozen=True)
class Window:
    """`events` came out in `seconds`; `steady` False: it is the whole backlog, ends included."""

    events: int
    seconds: float
    steady: bool

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


def window(weights: Mapping[str, int], moments: Mapping[str, float], begun: float) -> Window:
    """The window of a backlog that begins at `begun`.

    `weights` are the events that each mark stands for, `moments` (s) when it came out.
    """
    order = sorted(weights, key=lambda mark: moments[mark])
    times = [moments[mark] for mark in order]
    done = list(accumulate(weights[mark] for mark in order))
    total = done[-1]

    def at(moment: float) -> int:
        place = bisect_right(times, moment)
        return done[place - 1] if place else 0

    first = next(t for t in times if at(t) >= BEGIN * total)
    last = max((t for t in times if at(t + SETTLE_S) <= END * total), default=first)
    if last - first < SHORTEST_S:
        return Window(total, times[-1] - begun, False)
    return Window(at(last + SETTLE_S) - at(first + SETTLE_S), last - first, True)
