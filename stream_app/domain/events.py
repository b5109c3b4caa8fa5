"""What producers send: one struct a topic, in the words of GA4 e-commerce. See schemas/*.json.

An optional field that is null counts as absent; fields that are not named here are ignored. Of a
key that comes twice the last one counts.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from stream_app.domain.batch import CLICKS, EVENT_TYPES, PURCHASE_TYPES, PURCHASES
from stream_app.domain.clock import EARLIEST, LATEST, Moment

ClickType = Literal[
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
]
PurchaseType = Literal["purchase", "refund"]

Id = Annotated[str, Meta(min_length=1, max_length=256)]
Text = Annotated[str, Meta(max_length=256)]
LongText = Annotated[str, Meta(max_length=1024)]
Currency = Annotated[str, Meta(min_length=3, max_length=3)]
Amount = Annotated[float, Meta(ge=0)]
#: Whole numbers arrive as floats so that 2 and 2.0, which JSON does not tell apart, are one.
Quantity = Annotated[float, Meta(ge=0, le=1_000_000)]
OccurredAt = Annotated[float, Meta(ge=EARLIEST, lt=LATEST)] | Moment


class Click(Struct, gc=False):
    """An event of the topic `clicks`."""

    event_id: Id
    type: ClickType
    user_id: Id
    occurred_at: OccurredAt
    item_id: Text | None = None
    item_category: Text | None = None
    price: Amount | None = None
    currency: Currency | None = None
    quantity: Quantity | None = None
    search_term: LongText | None = None
    promotion_id: Text | None = None
    session_id: Text | None = None
    device: Text | None = None
    channel: Text | None = None
    country: Text | None = None
    region: Text | None = None
    city: Text | None = None


class Item(Struct, gc=False):
    """A line of a purchase or refund; `price` is of one piece, in the event's currency."""

    item_id: Text | None = None
    item_category: Text | None = None
    price: Amount | None = None
    quantity: Quantity | None = None


class Purchase(Struct, gc=False):
    """An event of the topic `purchases`."""

    event_id: Id
    type: PurchaseType
    user_id: Id
    occurred_at: OccurredAt
    value: Amount
    currency: Currency
    transaction_id: Text | None = None
    discount: Amount | None = None
    coupon: Text | None = None
    channel: Text | None = None
    items: Annotated[list[Item], Meta(max_length=1000)] | None = None


class _Typed(Struct):
    type: str


CLICK_DECODER: Final = msgspec.json.Decoder(Click)
PURCHASE_DECODER: Final = msgspec.json.Decoder(Purchase)
_TYPED_DECODER: Final = msgspec.json.Decoder(_Typed)

TYPE_CODES: Final = {name: code for code, name in enumerate(EVENT_TYPES)}


def event_type(value: bytes) -> str | None:
    """The text under `type` of an event, whatever else is wrong with it; None if there is none."""
    try:
        return _TYPED_DECODER.decode(value).type
    except (ValueError, RecursionError):
        return None


def topic_of(value: bytes) -> int:
    """The topic that an event of a mixed file belongs to, by its `type` alone; never raises.

    What cannot be read or has an unknown type counts as a click: its decoder says what is wrong.
    """
    return PURCHASES if event_type(value) in PURCHASE_TYPES else CLICKS
