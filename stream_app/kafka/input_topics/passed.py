"""Positions that stand beyond what was folded although nothing is under way."""

from __future__ import annotations

from typing import NamedTuple


class Beyond(NamedTuple):
    """Reading stands at `position`; `following` is the next offset to fold."""

    following: int
    position: int


class Passed:
    """When to read once more what a position has passed and nobody has folded.

    Mostly that is markers of transactions, or what was aborted: reading it again finds nothing, and
    is done once. Were it records, whatever dropped them, a partition at rest would say that nothing
    waits, and never fold them. `look` is asked once a second.
    """

    def __init__(self, inputs: int) -> None:
        self._met: list[Beyond | None] = [None] * inputs
        self._again: list[Beyond | None] = [None] * inputs
        self._back = [False] * inputs

    def look(self, number: int, following: int, position: int, *, resting: bool) -> bool:
        """Return whether to read input `number` again from `following` on.

        That is so when it has stood beyond it at rest for two looks: until then records may be on
        their way from the fetch to the queue.
        """
        here = Beyond(following, position) if resting and position > following else None
        met, self._met[number] = self._met[number], here
        if here is None or here != met:
            return False
        if here == self._again[number]:
            self._back[number] = True
            return False
        self._again[number], self._back[number] = here, False
        return True

    def doubts(self, number: int, following: int) -> bool:
        """Whether a gap from `following` on comes right after such a reading, not known so far."""
        again = self._again[number]
        return again is not None and again.following == following and not self._back[number]

    def missed(self, number: int, first: int) -> bool:
        """Whether a record at offset `first` is one that had been passed: it was not folded."""
        again = self._again[number]
        return again is not None and again.following <= first < again.position
