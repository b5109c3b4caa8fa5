"""What is wrong with a record that is not an event, in words that name the field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np

from stream_app.domain.batch import EVENT_TYPES, TOPICS
from stream_app.domain.errors import Reason, nearest
from stream_app.domain.events import Click, Item, Purchase, event_type, topic_of

Fault = tuple[Reason, str]

#: Arrays and objects may nest this deep, also in fields that are ignored. A rule of our own, since
#: where the parser gives up depends on how deep the program's own stack is.
MAX_DEPTH: Final = 400
#: A value that is shorter cannot nest deeper.
SHALLOW_BYTES: Final = 2 * MAX_DEPTH
_BACKSLASH: Final = ord("\\")
_DELETE: Final = 0x7F

OCCURRED_AT: Final = (
    "occurred_at: expected RFC 3339 text with an offset, or whole epoch milliseconds, "
    "from 2000-01-01 up to 2100-01-01"
)
_DETAIL_CHARS: Final = 300
_TEXT: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_SYNTAX: Final = msgspec.json.Decoder(msgspec.Raw)
_AT: Final = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")
_AMOUNT: Final = re.compile(r"(?:^|\.)(?:value|discount|price)$")
_NOT_TEXT: Final = {"type", "occurred_at", "currency", "items"} | {
    "value",
    "discount",
    "price",
    "quantity",
}
_TEXTS: Final = {
    struct: tuple(name for name in struct.__struct_fields__ if name not in _NOT_TEXT)
    for struct in (Click, Purchase, Item)
}


def diagnose(value: bytes, topic: int, error: Exception) -> Fault:
    """Why `topic`'s decoder raised `error` on `value`."""
    broken = _syntax(value)
    if broken is not None:
        return Reason.MALFORMED, _short(broken)
    name = event_type(value)
    if name is not None and name not in EVENT_TYPES:
        return Reason.UNKNOWN_TYPE, _unknown(name[:100])
    if name is not None and topic_of(value) != topic:
        right = TOPICS[topic_of(value)]
        return Reason.WRONG_TOPIC, f"type: {name!r} belongs to the topic {right}"
    return _invalid(str(error))


@lru_cache(256)
def _unknown(name: str) -> str:
    # A shop that begins to send another type sends it again and again; looking takes 50 µs.
    return _short(f"type: {name!r}; expected {nearest(name, EVENT_TYPES)}")


def inspect(value: bytes, event: Click | Purchase) -> Fault | None:
    """What the structs cannot see in a value that decoded to `event`; None if nothing is wrong."""
    broken = _encoding(value)
    if broken is not None:
        return Reason.MALFORMED, broken
    if not _unescaped(value):
        field = _controlled(event)
        if field is not None:
            return Reason.INVALID, f"{field}: contains a control character"
    return None


def is_plain(value: bytes) -> bool:
    """Whether a value cannot hide anything from the structs; most are so, and this is quick."""
    return len(value) <= SHALLOW_BYTES and _unescaped(value)


def all_plain(values: Sequence[bytes]) -> bool:
    """Whether each of some values is plain; for many at once, a tenth of the time."""
    return max(map(len, values), default=0) <= SHALLOW_BYTES and _unescaped(b"".join(values))


def _unescaped(value: bytes) -> bool:
    # The parser refuses control characters below U+0020 unless they are escaped.
    return value.isascii() and _BACKSLASH not in value and _DELETE not in value


def _syntax(value: bytes) -> str | None:
    broken = _encoding(value)
    if broken is None:
        try:
            _SYNTAX.decode(value)
        except (ValueError, RecursionError) as error:
            return str(error)
    return broken


def _encoding(value: bytes) -> str | None:
    try:
        value.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8: {error.reason} at byte {error.start}"
    return f"nested more than {MAX_DEPTH} deep" if _too_deep(value) else None


def _too_deep(value: bytes) -> bool:
    if len(value) <= SHALLOW_BYTES or value.count(b"[") + value.count(b"{") <= MAX_DEPTH:
        return False
    brackets = _TEXT.sub(b"", value).translate(_SQUARE, _NOT_BRACKETS)
    if not brackets:
        return False
    # "[" is 91, and "]" is 93. What is closed and was never opened counts for nothing.
    depth = (92 - np.frombuffer(brackets, np.uint8).astype(np.int32)).cumsum()
    ground = np.minimum.accumulate(np.minimum(depth, 0))
    return bool((depth - ground).max() > MAX_DEPTH)


def _controlled(event: Click | Purchase | Item) -> str | None:
    for name in _TEXTS[type(event)]:
        text = getattr(event, name)
        if text and not text.isprintable() and _CONTROL.search(text):
            return name
    for i, item in enumerate(getattr(event, "items", None) or ()):
        field = _controlled(item)
        if field is not None:
            return f"items[{i}].{field}"
    return None


def _invalid(message: str) -> Fault:
    """Turn msgspec's `Expected X, got Y - at $.field` into `field: expected X, got Y`."""
    at = _AT.fullmatch(message)
    problem, field = (at[1], at[2]) if at else (message, "")
    missing = _MISSING.fullmatch(problem)
    if missing:
        return Reason.INVALID, f"{field}.{missing[1]}: missing".lstrip(".")
    if field == "occurred_at":
        return Reason.INVALID, OCCURRED_AT
    if problem == "Number out of range" and _AMOUNT.search(field):
        return Reason.AMOUNT_OUT_OF_RANGE, f"{field}: number out of range"
    words = problem.replace("`str`", "text").replace("float", "number").replace("`", "")
    return Reason.INVALID, _short(f"{field or 'event'}: {words[:1].lower()}{words[1:]}")


def _short(detail: str) -> str:
    return detail if len(detail) <= _DETAIL_CHARS else f"{detail[:_DETAIL_CHARS]}…"
