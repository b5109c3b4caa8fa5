"""Moments as epoch milliseconds (UTC), and their text as RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final

import msgspec

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

#: Event times lie in [EARLIEST, LATEST): 2000-01-01 and 2100-01-01, UTC.
EARLIEST: Final = 946_684_800_000
LATEST: Final = 4_102_444_800_000

#: What msgspec takes for a moment in text: RFC 3339, with an offset. Digits beyond microseconds
#: are rounded.
Moment = Annotated[datetime, msgspec.Meta(tz=True)]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def to_rfc3339(ms: int) -> str:
    """A moment as text in UTC with milliseconds.

    >>> to_rfc3339(1_700_000_000_123)
    '2023-11-14T22:13:20.123Z'

    Raises OverflowError outside the years 1 to 9999.
    """
    seconds, rest = divmod(ms, SECOND)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=8192)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def from_rfc3339(text: str) -> int:
    """Epoch milliseconds, rounded down, of RFC 3339 text with an offset or Z; else ValueError.

    >>> from_rfc3339("2023-11-14T23:13:20.123+01:00")
    1700000000123
    """
    return to_ms(msgspec.convert(text, Moment))


def to_ms(moment: datetime) -> int:
    """Epoch milliseconds, rounded down, of a datetime that knows its offset."""
    return (moment - _EPOCH) // _MS
