"""Decoded events in number columns, and what only the values of fields can break."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.amounts import Amounts
from stream_app.domain.batch import CLICKS, MISSING, NO_OFFSET, NUMBER_COLUMNS
from stream_app.domain.clock import EARLIEST, LATEST, MINUTE, to_rfc3339
from stream_app.domain.columns import floats, instants, utc_offsets, whole
from stream_app.domain.errors import Reason
from stream_app.domain.events import Click, Item, Purchase
from stream_app.domain.faults import OCCURRED_AT, Fault
from stream_app.domain.money import Money
from stream_app.domain.parse import Valued

Events = Sequence[Click | Purchase]
Numbers = dict[str, NDArray[np.int64]]


@dataclass(slots=True)
class Judged:
    """n events of one topic, and their k lines; the lists and arrays of each are parallel.

    `owner` (k,) is the event of a line. Amounts are minor units of the reporting currency.
    """

    events: Events
    at: NDArray[np.int64]
    utc_offset: NDArray[np.int16]
    numbers: Numbers
    owner: NDArray[np.int32]
    line_numbers: Numbers

    def keep(self, mask: NDArray[np.bool_]) -> Judged:
        """The events where `mask` (n,) is set, and their lines."""
        lines = mask[self.owner]
        renumbered = np.cumsum(mask, dtype=np.int32) - 1
        return Judged(
            list(compress(self.events, mask.tolist())),
            self.at[mask],
            self.utc_offset[mask],
            {name: column[mask] for name, column in self.numbers.items()},
            renumbered[self.owner[lines]],
            {name: column[lines] for name, column in self.line_numbers.items()},
        )


def items_of(events: Events) -> list[Item]:
    """The lines of all events, in order; clicks have none."""
    return list(chain.from_iterable(getattr(event, "items", None) or () for event in events))


def judge(
    topic: int, events: Events, records: Sequence[Valued], money: Money, faults: dict[int, Fault]
) -> Judged:
    """Columns of the events of one topic.

    `records` are those of the events. `faults` gets the first fault of each event that has one;
    columns of faulty events are void.
    """
    n = len(events)
    at, utc_offset = _times(events, faults)
    # One array for all columns, which are its rows.
    numbers = dict(zip(NUMBER_COLUMNS, np.full((len(NUMBER_COLUMNS), n), MISSING), strict=True))
    owner, lines = np.zeros(0, np.int32), dict[str, NDArray[np.int64]]()
    amounts = Amounts(money, topic, events, records, faults)
    if topic == CLICKS:
        quantities = list(map(attrgetter("quantity"), events))
        numbers["quantity"] = _quantities(quantities, lambda k: (k, "quantity"), faults)
        numbers["price"] = amounts.of_events("price")
    else:
        for name in ("value", "discount"):
            numbers[name] = amounts.of_events(name)
        owner, lines = _lines(events, amounts, faults)
    return Judged(events, at, utc_offset, numbers, owner, lines)


def judge_age(
    at: NDArray[np.int64],
    recorded: NDArray[np.int64],
    future_ms: int | None,
    retention_ms: int | None,
    faults: dict[int, Fault],
) -> None:
    """Fault events too far ahead of the time their record was written (n,), or behind it."""
    for limit, ahead, reason in (
        (future_ms, at - recorded, Reason.FUTURE),
        (retention_ms, recorded - at, Reason.TOO_OLD),
    ):
        for i in [] if limit is None else (ahead > limit).nonzero()[0].tolist():
            if i not in faults:
                side = "after" if reason is Reason.FUTURE else "before"
                detail = (
                    f"occurred_at: {to_rfc3339(int(at[i]))} is {int(ahead[i]) // 1000} s {side} "
                    f"its record's timestamp {to_rfc3339(int(recorded[i]))}"
                )
                faults[i] = reason, detail


def _times(events: Events, faults: dict[int, Fault]) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
    moments = list(map(attrgetter("occurred_at"), events))
    at, utc_offset = instants(moments), utc_offsets(moments)
    # The written date counts as well as the instant, so that the schema can say the range.
    written = at
    elsewhere = utc_offset != NO_OFFSET
    if elsewhere.any():
        written = at + elsewhere * (utc_offset.astype(np.int64) * MINUTE)
    sound = (np.minimum(at, written) >= EARLIEST) & (np.maximum(at, written) < LATEST)
    sound &= np.floor(at) == at
    for i in (~sound).nonzero()[0].tolist():
        faults.setdefault(i, (Reason.INVALID, OCCURRED_AT))
    return at.astype(np.int64), utc_offset


def _quantities(
    values: list[float | None], places: Callable[[int], tuple[int, str]], faults: dict[int, Fault]
) -> NDArray[np.int64]:
    """Quantities as int64; `places(k)` says which event the k-th belongs to, and which field."""
    quantity = floats(values)
    for k in (np.floor(quantity) < quantity).nonzero()[0].tolist():
        event, field = places(k)
        faults.setdefault(event, (Reason.INVALID, f"{field}: expected a whole number"))
    return whole(quantity)


def _lines(
    events: Events, amounts: Amounts, faults: dict[int, Fault]
) -> tuple[NDArray[np.int32], Numbers]:
    counts = np.fromiter((len(getattr(e, "items", None) or ()) for e in events), np.int32)
    owner = np.repeat(np.arange(len(events), dtype=np.int32), counts)
    starts = np.cumsum(counts, dtype=np.int32) - counts
    items = items_of(events)

    def place(k: int) -> tuple[int, str]:
        event = int(owner[k])
        return event, f"items[{k - int(starts[event])}].quantity"

    quantity = _quantities([item.quantity for item in items], place, faults)
    price = amounts.of_lines(floats([item.price for item in items]), owner, starts)
    return owner, {"price": price, "quantity": quantity}
