"""How an input's events follow one another: pauses in which nothing came, by event time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Feed:
    """What a partition has seen of its events; part of `\\0meta`.

    `seen` is the highest event time (ms; 0: none yet), `pause` the longest pause (ms) that ended
    since the last day end, of those longer than what was asked for; 0 if there was none.
    """

    def __init__(self, seen: int = 0, pause: int = 0) -> None:
        self.seen = seen
        self.pause = pause

    def take(self, at: NDArray[np.int64], longest: int) -> None:
        """See events at `at` (n,) in ms; pauses of up to `longest` (ms) are none."""
        newest = int(at.max(initial=0))
        if newest <= self.seen:
            return
        first = self.seen or int(at.min())
        # Far the most rounds span less than a pause has to.
        if newest - first > longest:
            ahead = np.sort(at[at > first])
            steps = np.diff(ahead, prepend=first)
            found = int(steps.max())
            if found > longest:
                self.pause = max(self.pause, found)
        self.seen = newest

    def end_day(self, end: int) -> int:
        """Return the longest pause (ms) of the day that ends at `end` (ms), and begin another.

        A pause that still lasts counts as far as it has come.
        """
        lasting = end - self.seen if self.seen else 0
        found, self.pause = max(self.pause, lasting), 0
        return found
