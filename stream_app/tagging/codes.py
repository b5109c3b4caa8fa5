"""How a tag's state is written into a row."""

from __future__ import annotations

import re
from typing import Final
from zlib import crc32

from stream_app.domain.layout import Field

#: Block of u2: what each flag or valued tag is.
VALUES: Final = "tag_value"
#: Block of u4: when each tag last changed, in epoch seconds; 0 when it never did.
SINCE: Final = "tag_since"

#: Block of u2: how probable what a model says was when the tag last changed, in 1/10,000.
CONFIDENCE: Final = "tag_confidence"

ABSENT: Final = 0
TRUE: Final = 1
#: Ended by time, and its condition has been true ever since.
EXPIRED: Final = 65_535
#: Entries that a list tag has room for, whatever its `top`, so that `top` can change.
LIST_CAPACITY: Final = 8
#: Steps of a confidence in a row; so fine is it in messages too, so that all of them agree.
STEPS: Final = 10_000

_UNUSUAL: Final = 2
_SEGMENT: Final = re.compile(r"s([1-9][0-9]{0,4})")


def value_code(name: str) -> int:
    """2 to 65,534 from the value's name: values may be added, moved and removed freely."""
    return 2 + crc32(name.encode()) % (EXPIRED - 2)


def segment_code(segment: str) -> int:
    """The code of an id `s1`, `s2`, … or `unusual`; ValueError for another, and above s65532."""
    if segment == "unusual":
        return _UNUSUAL
    found = _SEGMENT.fullmatch(segment)
    code = _UNUSUAL + int(found[1]) if found else EXPIRED
    if code >= EXPIRED:
        raise ValueError(f"{segment!r} is no id of a segment: expected s1 to s{EXPIRED - 3}")
    return code


def segment_id(code: int) -> str | None:
    """The segment of a code, None where it has none."""
    if code == _UNUSUAL:
        return "unusual"
    return f"s{code - _UNUSUAL}" if _UNUSUAL < code < EXPIRED else None


def value_field(tag: str) -> Field:
    """Place of a flag's or valued tag's state."""
    return Field(f"tag:{tag}", "<u2", block=VALUES)


def since_field(tag: str) -> Field:
    """Place of a tag's last change."""
    return Field(f"since:{tag}", "<u4", block=SINCE)


def confidence_field(tag: str) -> Field:
    """Place of a learned tag's confidence."""
    return Field(f"confidence:{tag}", "<u2", block=CONFIDENCE, fill=STEPS)


def list_field(tag: str) -> Field:
    """Place of a list tag's entries: dictionary codes, 0 where there is none."""
    return Field(f"list:{tag}", "<u2", (LIST_CAPACITY,))


def holds_codes(field: str) -> bool:
    """Whether a row's field of that name holds codes of its partition's dictionary."""
    return field.startswith("list:")


def seconds(now: int) -> int:
    """Epoch milliseconds as the seconds of a change: rounded up, so that no hold is cut short."""
    return -(-now // 1_000)


def valid_until(now: int, expires: int) -> int:
    """When a tag that is set at `now` expires, epoch milliseconds."""
    return seconds(now) * 1_000 + expires
