"""Bytes of records → events of one topic; what is no event gets a fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from stream_app.domain.batch import CLICKS
from stream_app.domain.errors import Reason
from stream_app.domain.events import CLICK_DECODER, PURCHASE_DECODER, Click, Purchase
from stream_app.domain.faults import Fault, all_plain, diagnose, inspect, is_plain

Event = Click | Purchase

#: So many values are looked at together; one that is not plain has the others looked at, too.
_TOGETHER: Final = 64


class Valued(Protocol):
    """What is needed of a Kafka record."""

    @property
    def value(self) -> bytes | None: ...


def parse(
    topic: int, records: Sequence[Valued], longest: int, faults: dict[int, Fault]
) -> tuple[list[Event], list[int]]:
    """Return the events of `topic`, and the position of each among `records`.

    A value has at most `longest` bytes. `faults` gets what is wrong with the others, by position.
    """
    read = CLICK_DECODER.decode if topic == CLICKS else PURCHASE_DECODER.decode
    events: list[Event] = []
    positions: list[int] = []
    for first in range(0, len(records), _TOGETHER):
        values = [record.value for record in records[first : first + _TOGETHER]]
        plain = _all(read, values, longest)
        if plain is not None:
            events += plain
            positions += range(first, first + len(plain))
            continue
        for position, value in enumerate(values, first):
            found = _one(read, topic, value, longest)
            if isinstance(found, tuple):
                faults[position] = found
            else:
                events.append(found)
                positions.append(position)
    return events, positions


def _all(
    read: Callable[[bytes], Event], values: list[bytes | None], longest: int
) -> list[Event] | None:
    """The events of some values; None where one of them has to be looked at by itself."""
    given = [value for value in values if value]
    if len(given) < len(values) or max(map(len, given)) > longest or not all_plain(given):
        return None
    try:
        return list(map(read, given))
    except (ValueError, RecursionError):
        return None


def _one(
    read: Callable[[bytes], Event], topic: int, value: bytes | None, longest: int
) -> Event | Fault:
    if not value:
        return Reason.EMPTY, "the record has no value"
    if len(value) > longest:
        return Reason.TOO_LARGE, f"{len(value)} bytes; at most {longest} are read"
    try:
        event = read(value)
    except (ValueError, RecursionError) as error:
        return diagnose(value, topic, error)
    return (None if is_plain(value) else inspect(value, event)) or event
