"""When the wall clock may move a partition's time."""

from __future__ import annotations

from typing import Final

#: A fetch older than this (ms) says nothing about what has been written meanwhile.
FRESH_MS: Final = 5_000


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
        return all(self._reached) and now_ms - min(self._fetched_at) <= FRESH_MS
