"""Local hour and weekday of events, converted once a quarter of an hour instead of an event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import NO_OFFSET
from stream_app.features.windows import DAY_MS, HOUR_MS

#: Zones change their offset at whole quarters of an hour.
_SLOT_MS: Final = 900_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: 1970-01-01 was a Thursday.
_FIRST_WEEKDAY: Final = 3
#: Up to so many slots a table is cheaper than sorting.
_NEAR: Final = 64
_CACHE_LIMIT: Final = 100_000


class LocalTime:
    """Event times in the shop's zone, or in the event's own offset where it carries one."""

    def __init__(self, timezone: str) -> None:
        self._zone = ZoneInfo(timezone)
        self._offsets: dict[int, int] = {}

    def local_ms(self, at: NDArray[np.int64], utc_offset: NDArray[np.int16]) -> NDArray[np.int64]:
        """Local wall time as milliseconds since 1970-01-01T00:00 local; `utc_offset` minutes."""
        own = utc_offset.astype(np.int64) * 60_000
        return at + np.where(utc_offset == NO_OFFSET, self._shop(at // _SLOT_MS), own)

    def _shop(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """The shop's offset in ms, by slot."""
        first, last = (int(slots.min()), int(slots.max())) if len(slots) else (0, 0)
        if last - first < _NEAR:
            near = np.array([self._offset(slot) for slot in range(first, last + 1)], np.int64)
            return near[slots - first]
        distinct, inverse = np.unique(slots, return_inverse=True)
        return np.array([self._offset(slot) for slot in distinct.tolist()], np.int64)[inverse]

    def _offset(self, slot: int) -> int:
        if slot not in self._offsets:
            if len(self._offsets) >= _CACHE_LIMIT:
                self._offsets.clear()
            moment = (_EPOCH + timedelta(milliseconds=slot * _SLOT_MS)).astimezone(self._zone)
            offset = moment.utcoffset() or timedelta()
            self._offsets[slot] = round(offset.total_seconds() * 1_000)
        return self._offsets[slot]


def hour_of(local_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 to 23."""
    return local_ms // HOUR_MS % 24


def weekday_of(local_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 is Monday."""
    return (local_ms // DAY_MS + _FIRST_WEEKDAY) % 7
