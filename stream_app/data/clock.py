"""The shop's local time: the stores of the data set are in the US, on New York time."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

ZONE: Final = ZoneInfo("America/New_York")
HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
#: Day 0 of the data set. Its clocks run to early 2018; the tables below span years around it.
FIRST_DAY: Final = date(2017, 1, 1)
_FIRST_HOUR: Final = int(datetime(2016, 1, 1, tzinfo=UTC).timestamp()) // 3600
_HOURS: Final = 24 * 366 * 4


@cache
def _offsets() -> NDArray[np.int64]:
    hours = range(_FIRST_HOUR, _FIRST_HOUR + _HOURS)
    spans = (datetime.fromtimestamp(hour * 3600, ZONE).utcoffset() for hour in hours)
    return np.array([int(span.total_seconds()) if span else 0 for span in spans]) * 1000


def utc_offset_ms(at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Milliseconds that local time is ahead of UTC (negative in the US) at each `at`."""
    return _offsets()[np.clip(at // HOUR - _FIRST_HOUR, 0, _HOURS - 1)]


def day_of(at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Local days since 2017-01-01."""
    base = (FIRST_DAY - date(1970, 1, 1)).days
    return (at + utc_offset_ms(at)) // DAY - base


def day_number(day: date) -> int:
    """A date as local days since 2017-01-01."""
    return (day - FIRST_DAY).days


def day_start_ms(day: int) -> int:
    """Epoch milliseconds of the local midnight that day number `day` begins with."""
    midnight = datetime.fromordinal(FIRST_DAY.toordinal() + day).replace(tzinfo=ZONE)
    return int(midnight.timestamp()) * 1000


def local_rfc3339(at: NDArray[np.int64]) -> list[str]:
    """RFC 3339 with the local offset and whole seconds, such as `2017-03-04T18:22:10-05:00`."""
    offset = utc_offset_ms(at)
    stamps = np.datetime_as_string((at + offset).astype("M8[ms]"), unit="s").tolist()
    suffix = {ms: _suffix(ms) for ms in np.unique(offset).tolist()}
    return [stamp + suffix[ms] for stamp, ms in zip(stamps, offset.tolist(), strict=True)]


def _suffix(offset_ms: int) -> str:
    hours, minutes = divmod(abs(offset_ms) // 60_000, 60)
    return f"{'-' if offset_ms < 0 else '+'}{hours:02}:{minutes:02}"
