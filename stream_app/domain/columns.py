"""Columns of numpy arrays made from lists of decoded values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import MISSING, NO_OFFSET, Strings
from stream_app.domain.clock import MINUTE

#: Moments in text come as seconds (below), those in numbers as milliseconds (above).
_SECONDS_END: Final = 9e11
_ZERO: Final = datetime(2000, 1, 1)


def strings(texts: Sequence[str | None]) -> Strings:
    """Dictionary-encode; None and the empty text are absent. Values in order of appearance."""
    codes = _Codes({None: -1, "": -1})
    column = np.fromiter(map(codes.__getitem__, texts), np.int32, len(texts))
    return Strings(column, [text for text in codes if text])


class _Codes(dict[str | None, int]):
    """Numbers texts from 0 in the order in which they are asked for, beside the two absent ones."""

    def __missing__(self, text: str | None) -> int:
        code = self[text] = len(self) - 2
        return code


def floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    """NaN where None."""
    return np.array(values, dtype=np.float64)


def whole(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole numbers as int64, MISSING where NaN."""
    return np.where(np.isnan(values), MISSING, values).astype(np.int64)


def hashes(texts: Iterable[str], count: int) -> NDArray[np.uint32]:
    """CRC-32 of each text's UTF-8 bytes."""
    return np.fromiter(map(crc32, map(str.encode, texts)), np.uint32, count)


def instants(moments: Sequence[float | datetime]) -> NDArray[np.float64]:
    """Epoch milliseconds of epoch milliseconds (as they are) and of datetimes (rounded down)."""
    mixed = floats([m if isinstance(m, float) else m.timestamp() for m in moments])
    # A float of seconds errs by less than half a microsecond, which is what rint takes away.
    return np.where(mixed < _SECONDS_END, np.rint(mixed * 1e6) // 1e3, mixed)


def utc_offsets(moments: Sequence[float | datetime]) -> NDArray[np.int16]:
    """Minutes east of UTC; NO_OFFSET for epoch milliseconds and for an offset of zero."""
    minutes = _Minutes()
    return np.fromiter(
        (NO_OFFSET if isinstance(m, float) else minutes[m.tzinfo] for m in moments),
        np.int16,
        len(moments),
    )


class _Minutes(dict[tzinfo | None, int]):
    def __missing__(self, zone: tzinfo | None) -> int:
        offset = None if zone is None else zone.utcoffset(_ZERO)
        seconds = 0 if offset is None else offset.total_seconds()
        self[zone] = int(seconds) * 1000 // MINUTE or NO_OFFSET
        return self[zone]
