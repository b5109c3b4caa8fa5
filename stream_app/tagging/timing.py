"""What time does to tags: a hold puts a change off, an expiry makes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.tagging.codes import seconds

_SECOND_MS: Final = 1_000
Places = NDArray[np.intp]


@dataclass(slots=True)
class Timing:
    """The moment of a decision with the rows' `since` (m, tags) and `due` (m,), kept in place.

    `rows`, `places` (of tags in `since`) and durations in milliseconds are arrays of one length,
    or a single number for all.
    """

    now: int
    since: NDArray[np.uint32]
    due: NDArray[np.int64]

    def ends(self, rows: Any, places: Any, durations: Any) -> NDArray[np.int64]:
        """When the durations since the tags' last changes are over, in epoch milliseconds."""
        ends: NDArray[np.int64] = self.since[rows, places].astype(np.int64) * _SECOND_MS + durations
        return ends

    def free(self, rows: Places, places: Any, holds: Any) -> NDArray[np.bool_]:
        """Which tags may change now; rows of the others become due when their hold is over."""
        ends = self.ends(rows, places, holds)
        free: NDArray[np.bool_] = (ends <= self.now) | (self.since[rows, places] == 0)
        held = ~free
        np.minimum.at(self.due, rows[held], ends[held])
        return free

    def stamp(self, rows: Places, places: Any) -> None:
        """Note that the tags change now."""
        self.since[rows, places] = seconds(self.now)

    def all_ends(self, places: Places, durations: NDArray[np.int64]) -> NDArray[np.int64]:
        """Like `ends`, of each of k places and durations (k, 1) for all rows: (k, m)."""
        ends: NDArray[np.int64] = self.since.T[places].astype(np.int64) * _SECOND_MS + durations
        return ends

    def look_again(self, moments: NDArray[np.int64]) -> None:
        """Make rows due at the first of their moments (k, m)."""
        np.minimum(self.due, moments.min(axis=0), out=self.due)
