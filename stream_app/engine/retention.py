"""How long a user is kept of whom no event comes: `shop: {idle_retention: ...}`."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.clock import DAY
from stream_app.domain.layout import Rows

Bools = NDArray[np.bool_]
Times = NDArray[np.int64]

#: Time alone ends a row so long (ms) after its retention, so that what comes late finds it.
GRACE_MS: Final = DAY
_NEVER: Final = np.iinfo(np.int64).max


class Retention:
    """`idle_ms` after a user's last event the next one begins anew; times are event times in ms."""

    def __init__(self, idle_ms: int) -> None:
        self.idle_ms: Final = idle_ms

    def ends(self, rows: Rows) -> Times:
        """When time alone ends each row (m,); never for one without an event."""
        return self._after(rows, self.idle_ms + GRACE_MS)

    def over(self, rows: Rows, at: int) -> Bools:
        """Which rows (m,) time alone has ended by `at`."""
        return self.ends(rows) <= at

    def lasting(self, rows: Rows, at: int) -> Bools:
        """Which rows (m,) are there at `at` whatever comes or does not."""
        return self._after(rows, self.idle_ms) > at

    def ended(self, rows: Rows, index: NDArray[np.intp], at: Times) -> Bools:
        """Which rows (m,) the events at `at` (n,) end; `index` (n,) is the row of each."""
        first = np.full(len(rows), np.iinfo(np.int64).min)
        first[index] = _NEVER
        np.minimum.at(first, index, at)
        return self._after(rows, self.idle_ms) <= first

    def begin(self, rows: Rows, fresh: Bools, now: int) -> None:
        """Have chains of rows that were blank begin after those that have ended by `now`."""
        born = rows["born"]
        late = fresh & (born != 0) & (born < now - self.idle_ms)
        born[late] = now - self.idle_ms

    def spans(self, at: Times) -> bool:
        """Whether events at `at` (n,) lie so far apart that one could end another's row."""
        return len(at) > 0 and int(at.max() - at.min()) >= self.idle_ms

    @staticmethod
    def _after(rows: Rows, delay: int) -> Times:
        # Those without an event may not be added to: they are as early as can be.
        seen = rows["born"] != 0
        ends: Times = np.where(seen, rows["last_seen"], 0) + delay
        ends[~seen] = _NEVER
        return ends
