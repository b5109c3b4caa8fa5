"""Events of one round in columns: what decoding makes and the fold reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TOPICS: Final = ("clicks", "purchases")
CLICKS: Final = 0
PURCHASES: Final = 1

CLICK_TYPES: Final = (
    "page_view",
    "view_item",
    "search",
    "add_to_cart",
    "remove_from_cart",
    "add_to_wishlist",
    "begin_checkout",
    "view_promotion",
    "select_promotion",
    "share",
    "login",
    "sign_up",
)
PURCHASE_TYPES: Final = ("purchase", "refund")
EVENT_TYPES: Final = CLICK_TYPES + PURCHASE_TYPES

#: String columns that an event may carry; item_id and item_category of purchases are in `lines`.
STRING_COLUMNS: Final = (
    "item_id",
    "item_category",
    "search_term",
    "promotion_id",
    "session_id",
    "device",
    "channel",
    "country",
    "region",
    "city",
    "transaction_id",
    "coupon",
)
#: Amounts in int64 minor units of the reporting currency, and quantity in pieces.
NUMBER_COLUMNS: Final = ("value", "discount", "price", "quantity")
#: Marks an absent number.
MISSING: Final = np.iinfo(np.int64).min
#: `utc_offset` of an event that does not say where it happened (epoch ms, or offset zero).
NO_OFFSET: Final = np.iinfo(np.int16).min


@dataclass(slots=True)
class Strings:
    """A dictionary-encoded string column: `codes` int32 (n,) into `values`, -1 where absent."""

    codes: NDArray[np.int32]
    values: list[str]

    def select(self, chosen: NDArray[np.intp]) -> Strings:
        """Return the entries at the indexes `chosen`; the dictionary is shared."""
        return Strings(self.codes[chosen], self.values)


@dataclass(slots=True)
class Lines:
    """Items of purchases and refunds, one entry a line; `event` int32 is the event's index."""

    event: NDArray[np.int32]
    item_id: Strings
    item_category: Strings
    price: NDArray[np.int64]
    quantity: NDArray[np.int64]

    def select(self, keep: NDArray[np.bool_]) -> Lines:
        """Return the lines of the events where `keep` is true, with `event` renumbered."""
        chosen = np.flatnonzero(keep[self.event])
        renumbered = np.cumsum(keep, dtype=np.int32) - 1
        return Lines(
            event=renumbered[self.event[chosen]].astype(np.int32),
            item_id=self.item_id.select(chosen),
            item_category=self.item_category.select(chosen),
            price=self.price[chosen],
            quantity=self.quantity[chosen],
        )


@dataclass(slots=True)
class EventBatch:
    """n accepted events: first all clicks, then all purchases, each in log order.

    `at` is event time in epoch milliseconds; `utc_offset` minutes east of UTC or NO_OFFSET;
    `id_hash` the CRC-32 of the event id; `position` the index of the event's record among those
    given of its topic.
    """

    topic: NDArray[np.uint8]
    type: NDArray[np.uint8]
    at: NDArray[np.int64]
    utc_offset: NDArray[np.int16]
    id_hash: NDArray[np.uint32]
    position: NDArray[np.int64]
    user: list[str]
    event_id: list[str]
    numbers: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    strings: dict[str, Strings] = field(default_factory=dict)
    lines: Lines | None = None

    def __len__(self) -> int:
        return len(self.user)

    def select(self, keep: NDArray[np.bool_]) -> EventBatch:
        """Return the events where `keep` (n,) is true, in the same order."""
        chosen = np.flatnonzero(keep)
        return EventBatch(
            topic=self.topic[chosen],
            type=self.type[chosen],
            at=self.at[chosen],
            utc_offset=self.utc_offset[chosen],
            id_hash=self.id_hash[chosen],
            position=self.position[chosen],
            user=[self.user[i] for i in chosen],
            event_id=[self.event_id[i] for i in chosen],
            numbers={name: column[chosen] for name, column in self.numbers.items()},
            strings={name: column.select(chosen) for name, column in self.strings.items()},
            lines=None if self.lines is None else self.lines.select(keep),
        )


def joined(batches: Sequence[EventBatch]) -> EventBatch:
    """Return all events of at least one batch, in order; its columns' dictionaries are shared."""
    if len(batches) == 1:
        return batches[0]
    first = batches[0]

    def column(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(batch, name) for batch in batches])

    return EventBatch(
        topic=column("topic"),
        type=column("type"),
        at=column("at"),
        utc_offset=column("utc_offset"),
        id_hash=column("id_hash"),
        position=column("position"),
        user=list(chain.from_iterable(batch.user for batch in batches)),
        event_id=list(chain.from_iterable(batch.event_id for batch in batches)),
        numbers={
            name: np.concatenate([batch.numbers[name] for batch in batches])
            for name in first.numbers
        },
        strings={
            name: _joined_strings([batch.strings[name] for batch in batches])
            for name in first.strings
        },
        lines=_joined_lines(batches),
    )


def _joined_lines(batches: Sequence[EventBatch]) -> Lines | None:
    starts = [0, *accumulate(map(len, batches))]
    found = [(b.lines, start) for b, start in zip(batches, starts, strict=False) if b.lines]
    if not found:
        return None
    lines = [one for one, _ in found]
    return Lines(
        event=np.concatenate([one.event + np.int32(start) for one, start in found]),
        item_id=_joined_strings([one.item_id for one in lines]),
        item_category=_joined_strings([one.item_category for one in lines]),
        price=np.concatenate([one.price for one in lines]),
        quantity=np.concatenate([one.quantity for one in lines]),
    )


def _joined_strings(columns: Sequence[Strings]) -> Strings:
    return Strings(np.concatenate([one.codes for one in columns]), columns[0].values)
