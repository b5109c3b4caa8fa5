"""Columns of numpy arrays made from lists of decoded values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from operator import attrgetter
from typing import Final, TypeGuard
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import MISSING, NO_OFFSET, Strings
from stream_app.domain.clock import MINUTE

#: Moments in text come as seconds (below), those in numbers as milliseconds (above).
_SECONDS_END: Final = 9e11
_ZERO: Final = datetime(2000, 1, 1)


class TextCodes:
    """Numbers a column's texts in order of appearance, over as many pieces of it as there are.

    None and the empty text are absent.
    """

    def __init__(self) -> None:
        self._codes = _Codes()

    def column(self, texts: Iterable[str | None], n: int) -> Strings:
        """Dictionary-encode n texts; what further pieces bring is added to the same dictionary."""
        return Strings(
            np.fromiter(map(self._codes.__getitem__, texts), np.int32, n), self._codes.texts
        )

    def absent(self, n: int) -> Strings:
        """The same of n texts that are all absent."""
        return Strings(np.full(n, -1, np.int32), self._codes.texts)


class _Codes(dict[str | None, int]):
    """Numbers texts from 0 in the order in which they are asked for first."""

    def __init__(self) -> None:
        super().__init__({None: -1, "": -1})
        self.texts: list[str] = []

    def __missing__(self, text: str) -> int:
        code = self[text] = len(self.texts)
        self.texts.append(text)
        return code


def floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    """NaN where None."""
    given = [np.nan if value is None else value for value in values]
    return np.fromiter(given, np.float64, len(given))


def whole(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole numbers as int64, MISSING where NaN."""
    return np.where(np.isnan(values), MISSING, values).astype(np.int64)


def hashes(texts: Iterable[str], count: int) -> NDArray[np.uint32]:
    """CRC-32 of each text's UTF-8 bytes."""
    return np.fromiter(map(crc32, map(str.encode, texts)), np.uint32, count)


def instants(moments: Sequence[float | datetime]) -> NDArray[np.float64]:
    """Epoch milliseconds of epoch milliseconds (as they are) and of datetimes (rounded down)."""
    if _all_text(moments):
        mixed = np.fromiter(map(datetime.timestamp, moments), np.float64, len(moments))
    else:
        mixed = floats([m if isinstance(m, float) else m.timestamp() for m in moments])
    # A float of seconds errs by less than half a microsecond, which is what rint takes away.
    return np.where(mixed < _SECONDS_END, np.rint(mixed * 1e6) // 1e3, mixed)


def utc_offsets(moments: Sequence[float | datetime]) -> NDArray[np.int16]:
    """Minutes east of UTC; NO_OFFSET for epoch milliseconds and for an offset of zero."""
    if _all_text(moments):
        zones: Iterable[tzinfo | None] = map(attrgetter("tzinfo"), moments)
    else:
        zones = (None if isinstance(m, float) else m.tzinfo for m in moments)
    return np.fromiter(map(_Minutes().__getitem__, zones), np.int16, len(moments))


def _all_text(moments: Sequence[float | datetime]) -> TypeGuard[Sequence[datetime]]:
    return float not in set(map(type, moments))


class _Minutes(dict[tzinfo | None, int]):
    def __missing__(self, zone: tzinfo | None) -> int:
        offset = None if zone is None else zone.utcoffset(_ZERO)
        seconds = 0 if offset is None else offset.total_seconds()
        self[zone] = int(seconds) * 1000 // MINUTE or NO_OFFSET
        return self[zone]
