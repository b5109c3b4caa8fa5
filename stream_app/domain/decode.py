"""Bytes of clicks and purchases → one EventBatch; what is no event comes back with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter
from typing import Final, Protocol

import numpy as np

from stream_app.domain.batch import (
    CLICKS,
    NUMBER_COLUMNS,
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
from stream_app.domain.judge import Part, items_of, judge, judge_age
from stream_app.domain.money import Money

_FIELDS: Final = {
    CLICKS: frozenset(Click.__struct_fields__),
    PURCHASES: frozenset(Purchase.__struct_fields__),
}


class Record(Protocol):
    """What decoding needs of a Kafka record; `timestamp` is epoch milliseconds."""

    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def offset(self) -> int: ...


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
        clicks, no_clicks = self._topic(CLICKS, records[CLICKS])
        purchases, no_purchases = self._topic(PURCHASES, records[PURCHASES])
        return Decoded(self._join(clicks, purchases), no_clicks + no_purchases)

    def _topic(self, topic: int, log: Sequence[Record]) -> tuple[Part, list[Rejected]]:
        events, positions, refused = self._parse(topic, log)
        records = log if len(positions) == len(log) else [log[p] for p in positions]
        values = [record.value or b"" for record in records]
        offsets = [record.offset for record in records]
        faults: dict[int, Fault] = {}
        part = judge(topic, events, values, offsets, self._money, faults)
        recorded = np.fromiter((record.timestamp for record in records), np.int64, len(records))
        judge_age(part.at, recorded, self._options.future_ms, self._options.retention_ms, faults)
        if faults:
            refused.update((positions[i], fault) for i, fault in faults.items())
            mask = np.ones(len(events), np.bool_)
            mask[list(faults)] = False
            part = part.keep(mask)
        return part, [Rejected(topic, p, *refused[p]) for p in sorted(refused)]

    def _parse(
        self, topic: int, log: Sequence[Record]
    ) -> tuple[list[Click | Purchase], list[int], dict[int, Fault]]:
        """Events, the position of each in `log`, and faults by position."""
        parse = CLICK_DECODER.decode if topic == CLICKS else PURCHASE_DECODER.decode
        longest = self._options.max_event_bytes
        events: list[Click | Purchase] = []
        positions: list[int] = []
        refused: dict[int, Fault] = {}
        for position, record in enumerate(log):
            value = record.value
            if not value or len(value) > longest:
                refused[position] = _size_fault(value, longest)
                continue
            try:
                event = parse(value)
            except (ValueError, RecursionError) as error:
                refused[position] = diagnose(value, topic, error)
                continue
            fault = None if is_plain(value) else inspect(value, event)
            if fault is not None:
                refused[position] = fault
                continue
            events.append(event)
            positions.append(position)
        return events, positions, refused

    def _join(self, clicks: Part, purchases: Part) -> EventBatch:
        parts = (clicks, purchases)
        events = [*clicks.events, *purchases.events]
        types = [TYPE_CODES[event.type] for event in events]
        ids = [event.event_id for event in events]
        return EventBatch(
            topic=np.repeat(np.array([CLICKS, PURCHASES], np.uint8), [len(p.at) for p in parts]),
            type=np.array(types, np.uint8),
            at=np.concatenate([part.at for part in parts]),
            utc_offset=np.concatenate([part.utc_offset for part in parts]),
            id_hash=hashes(ids, len(ids)),
            offset=np.concatenate([part.offset for part in parts]),
            user=[event.user_id for event in events],
            event_id=ids,
            numbers={
                name: np.concatenate([part.numbers[name] for part in parts])
                for name in NUMBER_COLUMNS
            },
            strings={name: self._strings(name, clicks, purchases) for name in self._columns},
            lines=self._lines(len(clicks.events), purchases),
        )

    def _strings(self, name: str, *parts: Part) -> Strings:
        texts: list[str | None] = []
        for topic, part in enumerate(parts):
            if name in _FIELDS[topic]:
                texts.extend(map(attrgetter(name), part.events))
            else:
                texts.extend([None] * len(part.events))
        return strings(texts)

    def _lines(self, first: int, purchases: Part) -> Lines | None:
        """The lines, whose events count from `first`; None if there is none."""
        if not len(purchases.owner):
            return None
        items = items_of(purchases.events)
        return Lines(
            event=purchases.owner + np.int32(first),
            item_id=self._of_items("item_id", items),
            item_category=self._of_items("item_category", items),
            price=purchases.line_numbers["price"],
            quantity=purchases.line_numbers["quantity"],
        )

    def _of_items(self, name: str, items: list[Item]) -> Strings:
        if name in self._columns:
            return strings(list(map(attrgetter(name), items)))
        return Strings(np.full(len(items), -1, np.int32), [])


def _size_fault(value: bytes | None, longest: int) -> Fault:
    if not value:
        return Reason.EMPTY, "the record has no value"
    return Reason.TOO_LARGE, f"{len(value)} bytes; at most {longest} are read"
