"""Bytes of clicks and purchases → one EventBatch; what is no event comes back with a reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import CLICKS, STRING_COLUMNS, TOPICS, EventBatch, Lines, joined
from stream_app.domain.clock import DAY, MINUTE
from stream_app.domain.columns import TextCodes, hashes
from stream_app.domain.errors import Rejected
from stream_app.domain.events import TYPE_CODES, Click, Purchase
from stream_app.domain.faults import Fault
from stream_app.domain.judge import Judged, items_of, judge, judge_age
from stream_app.domain.money import Money
from stream_app.domain.parse import Valued, parse

#: So many records at a time: their texts and numbers are still in the processor's cache when they
#: become columns, which takes a third off a round of thousands.
_PIECE: Final = 1_024
#: By topic.
_FIELDS: Final = (frozenset(Click.__struct_fields__), frozenset(Purchase.__struct_fields__))

_timestamp, _type = attrgetter("timestamp"), attrgetter("type")
_event_id, _user_id = attrgetter("event_id"), attrgetter("user_id")

#: Of the columns of events by name, of those of lines by `items.` and name.
_Codes = defaultdict[str, TextCodes]


class Record(Valued, Protocol):
    """What decoding needs of a Kafka record; `timestamp` is epoch milliseconds."""

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

        What stands behind these is of no topic and left to the caller. No input makes it raise:
        what is not an event is in `rejected`.
        """
        codes: _Codes = defaultdict(TextCodes)
        rejected: list[Rejected] = []
        batches = [
            self._piece(topic, log[first : first + _PIECE], first, codes, rejected)
            for topic, log in enumerate(records[: len(TOPICS)])
            for first in range(0, len(log), _PIECE)
        ]
        return Decoded(joined(batches or [self._piece(CLICKS, [], 0, codes, rejected)]), rejected)

    def _piece(
        self,
        topic: int,
        log: Sequence[Record],
        first: int,
        codes: _Codes,
        rejected: list[Rejected],
    ) -> EventBatch:
        """The events of some records of one topic, the first of which is at position `first`."""
        refused: dict[int, Fault] = {}
        events, at = parse(topic, log, self._options.max_event_bytes, refused)
        records = log if len(at) == len(log) else [log[i] for i in at]
        faults: dict[int, Fault] = {}
        judged = judge(topic, events, records, self._money, faults)
        recorded = np.fromiter(map(_timestamp, records), np.int64, len(records))
        judge_age(judged.at, recorded, self._options.future_ms, self._options.retention_ms, faults)
        position = np.array(at, np.int64)
        if faults:
            refused.update((at[i], fault) for i, fault in faults.items())
            sound = np.ones(len(events), np.bool_)
            sound[list(faults)] = False
            judged, position = judged.keep(sound), position[sound]
        rejected += [Rejected(topic, first + i, *refused[i]) for i in sorted(refused)]
        return self._batch(topic, judged, first + position, codes)

    def _batch(
        self,
        topic: int,
        judged: Judged,
        position: NDArray[np.int64],
        codes: _Codes,
    ) -> EventBatch:
        events = judged.events
        n, ids = len(events), list(map(_event_id, events))
        return EventBatch(
            topic=np.full(n, topic, np.uint8),
            type=np.fromiter(map(TYPE_CODES.__getitem__, map(_type, events)), np.uint8, n),
            at=judged.at,
            utc_offset=judged.utc_offset,
            id_hash=hashes(ids, n),
            position=position,
            user=list(map(_user_id, events)),
            event_id=ids,
            numbers=judged.numbers,
            strings={
                name: codes[name].column(map(attrgetter(name), events), n)
                if name in _FIELDS[topic]
                else codes[name].absent(n)
                for name in self._columns
            },
            lines=self._lines(judged, codes),
        )

    def _lines(self, judged: Judged, codes: _Codes) -> Lines | None:
        """The lines of purchases; None if there is none."""
        if not len(judged.owner):
            return None
        items = items_of(judged.events)
        texts = {
            name: codes[f"items.{name}"].column(map(attrgetter(name), items), len(items))
            if name in self._columns
            else codes[name].absent(len(items))
            for name in ("item_id", "item_category")
        }
        return Lines(
            event=judged.owner,
            price=judged.line_numbers["price"],
            quantity=judged.line_numbers["quantity"],
            **texts,
        )
