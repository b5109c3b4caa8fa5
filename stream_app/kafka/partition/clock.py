"""When the wall clock may move a partition's time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

#: A fetch older than this (ms) says nothing about what has been written meanwhile.
FRESH_MS: Final = 5_000

#: A wall clock that runs apart from the steady one by more (ms) from one look to the next was set.
SET_MS: Final = 60_000
#: So long (ms) it has to run evenly after that before it is believed again.
BELIEVED_MS: Final = 600_000


class Evenness:
    """Whether the wall clock may be believed: it has not been set lately.

    Partition time never falls. Were it to follow a clock that is hours ahead for a minute, tags
    would end too early and begin too early, and nothing could take that back.
    """

    def __init__(self, jumped: Callable[[], None] = lambda: None) -> None:
        """`jumped` is told of each time that the clock was set."""
        self._jumped = jumped
        self._apart: int | None = None
        self._set_at: int | None = None

    def at(self, wall_ms: int, steady_ms: int) -> bool:
        """Take a look at both clocks; return whether the wall clock is believed.

        At the first look it is: nothing is known against it. It has to be asked once a second or
        so, because a clock that is corrected slowly is in order.
        """
        apart = wall_ms - steady_ms
        jump = 0 if self._apart is None else apart - self._apart
        self._apart = apart
        if abs(jump) > SET_MS:
            self._set_at = steady_ms
            self._jumped()
            log.warning(
                "The wall clock was set by %+.0f s: events alone move time until it has run evenly "
                "for %d minutes",
                jump / 1000,
                BELIEVED_MS // 60_000,
            )
        return self._set_at is None or steady_ms - self._set_at >= BELIEVED_MS


class CaughtUp:
    """Whether a partition has read both inputs to their ends since it was assigned.

    Until then its events lie in the past, and the wall clock would expire what they are about to
    renew. `observe` is fed with what the last fetch said.
    """

    def __init__(self, topics: int) -> None:
        self._reached = [False] * topics
        self._fetched_at = [0.0] * topics

    def reset(self) -> None:
        """Forget what was reached: the partition was assigned anew."""
        self._reached = [False] * len(self._reached)

    def observe(
        self, topic: int, position: int, stable: int | None, at_ms: float, *, queue_empty: bool
    ) -> None:
        """Take an input's position, its last stable offset, and the time (ms) of that fetch."""
        self._fetched_at[topic] = at_ms
        if stable is not None and stable >= 0 and position >= stable and queue_empty:
            self._reached[topic] = True

    def at(self, now_ms: int) -> bool:
        """Whether the wall clock may move time at `now_ms`."""
        # A fetch of the future was before the clock was set back, which may be long ago.
        return all(self._reached) and abs(now_ms - min(self._fetched_at)) <= FRESH_MS
