"""Bytes of clicks and purchases → one EventBatch; what is no event comes back with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import repeat
from operator import attrgetter
from typing import Final, Protocol

import numpy as np

from stream_app.domain.batch import (
    CLICKS,
    PURCHASES,
    STRING_COLUMNS,
    EventBatch,
    Lines,
    Strings,
)
from stream_app.domain.clock import DAY, MINUTE
from stream_app.domain.columns import hashes, strings
from stream_app.domain.errors import Reason, Rejected
from stream_app.domain.events import (
    CLICK_DECODER,
    PURCHASE_DECODER,
    TYPE_CODES,
    Click,
    Item,
    Purchase,
)
from stream_app.domain.faults import Fault, diagnose, inspect, is_plain
from stream_app.domain.judge import Judged, items_of, judge, judge_age
from stream_app.domain.money import Money

#: By topic.
_FIELDS: Final = (frozenset(Click.__struct_fields__), frozenset(Purchase.__struct_fields__))


class Record(Protocol):
    """What decoding needs of a Kafka record; `timestamp` is epoch milliseconds."""

    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int: ...


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """What an event is judged by.

    `rates`: units of `currency` for one unit of another currency. An event may be `future_ms`
    ahead of its record's timestamp and `retention_ms` behind it; None does not judge. `columns`:
    the string columns to extract, None for all.
    """

    currency: str = "USD"
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    max_event_bytes: int = 65_536
    future_ms: int | None = 5 * MINUTE
    retention_ms: int | None = 400 * DAY
    columns: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """The accepted events, and the refused records by topic and position."""

    batch: EventBatch
    rejected: list[Rejected]


class Decoder:
    """Decodes batches; raises ValueError when made with currencies that `Money` refuses."""

    def __init__(self, options: DecodeOptions) -> None:
        self._options = options
        self._money = Money(options.currency, options.rates)
        wanted = STRING_COLUMNS if options.columns is None else options.columns
        self._columns = tuple(name for name in STRING_COLUMNS if name in wanted)

    def decode(self, records: Sequence[Sequence[Record]]) -> Decoded:
        """Decode clicks (`records[0]`) and purchases (`records[1]`), each in log order.

        No input makes it raise: what is not an event is in `rejected`.
        """
        refused: dict[tuple[int, int], Fault] = {}
        clicks, at_clicks = self._parse(CLICKS, records[CLICKS], refused)
        purchases, at_purchases = self._parse(PURCHASES, records[PURCHASES], refused)
        sources = _at(records[CLICKS], at_clicks) + _at(records[PURCHASES], at_purchases)
        faults: dict[int, Fault] = {}
        places = at_clicks + at_purchases
        judged = self._judge(clicks + purchases, len(clicks), sources, places, faults)
        if faults:
            topics = [CLICKS] * len(at_clicks) + [PURCHASES] * len(at_purchases)
            refused.update(((topics[i], places[i]), fault) for i, fault in faults.items())
            mask = np.ones(len(places), np.bool_)
            mask[list(faults)] = False
            judged = judged.keep(mask)
        rejected = [Rejected(*at, *refused[at]) for at in sorted(refused)]
        return Decoded(self._batch(judged), rejected)

    def _parse(
        self, topic: int, log: Sequence[Record], refused: dict[tuple[int, int], Fault]
    ) -> tuple[list[Click | Purchase], list[int]]:
        """Events, and the position of each in `log`; notes faults by topic and position."""
        parse = CLICK_DECODER.decode if topic == CLICKS else PURCHASE_DECODER.decode
        longest = self._options.max_event_bytes
        events: list[Click | Purchase] = []
        positions: list[int] = []
        for position, record in enumerate(log):
            value = record.value
            if not value or len(value) > longest:
                refused[topic, position] = _size_fault(value, longest)
                continue
            try:
                event = parse(value)
            except (ValueError, RecursionError) as error:
                refused[topic, position] = diagnose(value, topic, error)
                continue
            fault = None if is_plain(value) else inspect(value, event)
            if fault is not None:
                refused[topic, position] = fault
                continue
            events.append(event)
            positions.append(position)
        return events, positions

    def _judge(
        self,
        events: list[Click | Purchase],
        clicks: int,
        records: Sequence[Record],
        positions: Sequence[int],
        faults: dict[int, Fault],
    ) -> Judged:
        values = [record.value or b"" for record in records]
        judged = judge(events, clicks, values, positions, self._money, faults)
        recorded = np.array([record.timestamp for record in records], np.int64)
        judge_age(judged.at, recorded, self._options.future_ms, self._options.retention_ms, faults)
        return judged

    def _batch(self, judged: Judged) -> EventBatch:
        events, clicks = judged.events, judged.clicks
        topics = events[:clicks], events[clicks:]
        ids = [event.event_id for event in events]
        topic = np.full(len(events), PURCHASES, np.uint8)
        topic[:clicks] = CLICKS
        return EventBatch(
            topic=topic,
            type=np.array([TYPE_CODES[event.type] for event in events], np.uint8),
            at=judged.at,
            utc_offset=judged.utc_offset,
            id_hash=hashes(ids, len(ids)),
            position=judged.position,
            user=[event.user_id for event in events],
            event_id=ids,
            numbers=judged.numbers,
            strings={name: _strings(name, topics) for name in self._columns},
            lines=self._lines(judged),
        )

    def _lines(self, judged: Judged) -> Lines | None:
        """The lines of purchases; None if there is none."""
        if not len(judged.owner):
            return None
        items = items_of(judged.events[judged.clicks :])
        return Lines(
            event=judged.owner,
            item_id=self._of_items("item_id", items),
            item_category=self._of_items("item_category", items),
            price=judged.line_numbers["price"],
            quantity=judged.line_numbers["quantity"],
        )

    def _of_items(self, name: str, items: list[Item]) -> Strings:
        if name in self._columns:
            return strings(list(map(attrgetter(name), items)))
        return _no_strings(len(items))


def _at(log: Sequence[Record], positions: list[int]) -> list[Record]:
    return list(log) if len(positions) == len(log) else [log[p] for p in positions]


def _strings(name: str, topics: Sequence[Sequence[Click | Purchase]]) -> Strings:
    texts: list[str | None] = []
    carried = False
    for events, fields in zip(topics, _FIELDS, strict=True):
        if events and name in fields:
            texts.extend(map(attrgetter(name), events))
            carried = True
        else:
            texts.extend(repeat(None, len(events)))
    return strings(texts) if carried else _no_strings(len(texts))


def _no_strings(n: int) -> Strings:
    return Strings(np.full(n, -1, np.int32), [])


def _size_fault(value: bytes | None, longest: int) -> Fault:
    if not value:
        return Reason.EMPTY, "the record has no value"
    return Reason.TOO_LARGE, f"{len(value)} bytes; at most {longest} are read"
