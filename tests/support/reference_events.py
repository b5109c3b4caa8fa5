"""Raw events as the reference reads them: time, place in the week, money and lines."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

CLICKS = [
    "page_view", "view_item", "search", "add_to_cart", "remove_from_cart", "add_to_wishlist",
    "begin_checkout", "view_promotion", "select_promotion", "share", "login", "sign_up",
]  # fmt: skip
PURCHASES = ["purchase", "refund"]
TEXTS = [
    "item_id", "item_category", "search_term", "promotion_id", "session_id", "device", "channel",
    "country", "region", "city", "transaction_id", "coupon",
]  # fmt: skip
MONEY = {"value", "discount", "price"}
OF_LINES = {"item_id", "item_category", "price", "quantity"}
#: Digits after the point, where it is not two.
EXPONENTS = {"JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3}


@dataclass(frozen=True)
class Shop:
    """What the catalogue's `shop` section says, with its defaults."""

    timezone: ZoneInfo
    currency: str
    rates: dict[str, Decimal]
    night: tuple[int, int]

    @classmethod
    def of(cls, section: Mapping[str, Any]) -> Shop:
        begin, end = section.get("night", [22, 6])
        rates = {code: Decimal(str(rate)) for code, rate in section.get("rates", {}).items()}
        currency = section.get("currency", "USD")
        return cls(ZoneInfo(section.get("timezone", "UTC")), currency, rates, (begin, end))

    def amount(self, amount: Any, currency: str | None) -> Decimal:
        """`amount` in whole minor units of the reporting currency, given in major units."""
        rate = Decimal(1) if currency in (None, self.currency) else self.rates[currency or ""]
        cents = Decimal(1).scaleb(-EXPONENTS.get(self.currency, 2))
        return (Decimal(str(amount)) * rate).quantize(cents, ROUND_HALF_EVEN)


@dataclass(frozen=True)
class Event:
    """One raw event of a user with what the reference derives from it."""

    raw: Mapping[str, Any]
    shop: Shop

    @property
    def type(self) -> str:
        return str(self.raw["type"])

    @cached_property
    def at(self) -> int:
        """Event time in epoch milliseconds."""
        when = self.raw["occurred_at"]
        if isinstance(when, int):
            return when
        return (datetime.fromisoformat(when) - datetime(1970, 1, 1, tzinfo=UTC)) // _MILLISECOND

    @cached_property
    def id_hash(self) -> int:
        return zlib.crc32(self.raw["event_id"].encode())

    @cached_property
    def local(self) -> datetime:
        """The time on the user's clock if the event says so, else on the shop's."""
        when = self.raw["occurred_at"]
        if isinstance(when, str):
            own = datetime.fromisoformat(when)
            if own.utcoffset():
                return own
        instant = datetime(1970, 1, 1, tzinfo=UTC) + self.at * _MILLISECOND
        return instant.astimezone(self.shop.timezone)

    def number(self, name: str, holder: Mapping[str, Any] | None = None) -> Decimal | None:
        """A number of the event, or of `holder`, one of its lines; money in major units."""
        found = (self.raw if holder is None else holder).get(name)
        if found is None:
            return None
        if name in MONEY:
            return self.shop.amount(found, self.raw.get("currency"))
        return Decimal(str(found))

    def entries(self) -> Iterator[Mapping[str, Any]]:
        """Where item fields stand: the lines of a purchase, or the click itself."""
        if self.type in PURCHASES:
            yield from self.raw.get("items") or []
        else:
            yield self.raw

    def environment(self, entry: Mapping[str, Any] | None) -> dict[str, Any]:
        """What a `where` can read, with the item fields of `entry`."""
        item: Mapping[str, Any] = {} if entry is None else entry
        env: dict[str, Any] = {
            name: text(item if name in OF_LINES else self.raw, name) for name in TEXTS
        }
        for name in ("value", "discount", "price", "quantity"):
            found = self.number(name, item if name in OF_LINES else None)
            env[name] = None if found is None else float(found)
        hour, weekday = self.local.hour, self.local.weekday()
        begin, end = self.shop.night
        inside = begin <= hour or hour < end if begin > end else begin <= hour < end
        env |= {"hour": hour, "weekday": weekday, "night": int(inside)}
        env["weekend"] = int(weekday >= 5)
        env["mobile"] = int(env["device"] in ("mobile", "tablet"))
        env["discounted"] = int((env["discount"] or 0) > 0 or env["coupon"] is not None)
        return env


def text(holder: Mapping[str, Any], name: str) -> str | None:
    """The text field `name` of an event or a line; the empty text counts as absent."""
    return holder.get(name) or None


_MILLISECOND = timedelta(milliseconds=1)
