"""How long a user is kept of whom no event comes: `shop: {idle_retention: ...}`."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import TOPICS, EventBatch
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

    def ended(self, rows: Rows, index: NDArray[np.intp], batch: EventBatch) -> Bools:
        """Which rows (m,) the events of `batch` (n,) end; `index` (n,) is the row of each.

        By the first event of each topic, as if they came one by one: what follows it there is late,
        or goes on from it. Nobody knows which topic is first, so all of them have to say so.
        """
        first = np.full((len(TOPICS), len(rows)), _NEVER)
        # Backwards, so that of a row's events of a topic the first one stays.
        back = np.arange(len(index) - 1, -1, -1)
        first[batch.topic[back], index[back]] = batch.at[back]
        earliest: Times = first.min(axis=0)
        ended: Bools = (earliest != _NEVER) & (self._after(rows, self.idle_ms) <= earliest)
        return ended

    def begin(self, rows: Rows, fresh: Bools, index: NDArray[np.intp], reached: Times) -> None:
        """Have chains of rows that were blank begin after those that have ended before.

        `reached` (n,) is partition time at each event, `index` (n,) the row of each.
        """
        now = np.zeros(len(rows), np.int64)
        back = np.arange(len(index) - 1, -1, -1)
        now[index[back]] = reached[back]
        born = rows["born"]
        late = fresh & (born != 0) & (born < now - self.idle_ms)
        born[late] = now[late] - self.idle_ms

    def spans(self, at: Times) -> bool:
        """Whether events at `at` (n,) lie so far apart that one could end another's row."""
        return len(at) > 0 and int(at.max() - at.min()) >= self.idle_ms

    def parts(self, slots: NDArray[np.intp], batch: EventBatch) -> list[Bools]:
        """Which events (n,) to fold one after the other, so that none ends a row in the middle.

        `slots` (n,) are the rows of at least one event. A row's topics are merged by how far each
        has come, so that in each the order of the log is kept.
        """
        come = running_max(batch.at, slots * len(TOPICS) + batch.topic)
        order = np.lexsort((come, slots))
        here, far = slots[order], come[order]
        first = np.concatenate(([True], here[1:] != here[:-1]))
        ends = np.concatenate(([False], np.diff(far) >= self.idle_ms)) & ~first
        ended = ends.cumsum()
        part = np.empty(len(slots), np.intp)
        part[order] = ended - np.maximum.accumulate(np.where(first, ended, 0))
        return [part == n for n in range(int(part.max()) + 1)]

    @staticmethod
    def _after(rows: Rows, delay: int) -> Times:
        # Those without an event may not be added to: they are as early as can be. Whoever began
        # with an event that was too late is idle from `born` on: another chain after an end before
        # that would begin at the same time.
        seen = rows["born"] != 0
        ends: Times = np.where(seen, np.maximum(rows["last_seen"], rows["born"]), 0) + delay
        ends[~seen] = _NEVER
        return ends


def running_max(at: Times, group: NDArray[np.intp]) -> Times:
    """The latest of `at` (n,) up to each, of those of the same `group` (n,)."""
    order = group.argsort(kind="stable")
    # Each group lies above all before it.
    above = np.concatenate(([0], (np.diff(group[order]) != 0).cumsum())) * (at.max(initial=0) + 1)
    found = np.empty_like(at)
    found[order] = np.maximum.accumulate(at[order] + above) - above
    return found
