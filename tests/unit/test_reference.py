"""The reference itself: small cases whose answers were worked out by hand."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from support.reference import DAY, HOUR, Reference
from support.reference_rules import truth

NOON = 1_488_369_600_000  # 2017-03-01T12:00:00Z, a Wednesday
_ids = (f"e{i}" for i in itertools.count())


def event(type: str, at: int, **fields: Any) -> dict[str, Any]:
    return {"event_id": next(_ids), "user_id": "u", "type": type, "occurred_at": at, **fields}


def value(declaration: dict[str, Any], events: list[dict[str, Any]], now: int) -> Any:
    """The one feature declared, after `events`."""
    reference = Reference({"features": {"x": declaration}, "shop": {"rates": {"EUR": 1.08}}})
    for e in events:
        reference.add("purchases" if e["type"] in ("purchase", "refund") else "clicks", e)
    return reference.features("u", now)["x"]


def lines(*items: tuple[str, str, int]) -> list[dict[str, Any]]:
    return [{"item_id": c, "item_category": c, "price": p, "quantity": q} for c, p, q in items]


BUY = event("purchase", NOON, value="10.00", items=lines(("shoes", "4.00", 2), ("hats", "2", 1)))
LATE = event("purchase", NOON - 3 * DAY, value=2.345, currency="EUR", coupon="C", items=[])
BACK = event("refund", NOON + HOUR, value=4, items=lines(("shoes", "4.00", 1)))
LOOKS = [event("view_item", NOON + i * 10 * 60_000, item_category=c) for i, c in enumerate("aab")]
ORDER, OTHER = (event("purchase", NOON, value="10.00", transaction_id=t) for t in "ab")
PART, FULL, AGAIN = (
    event("refund", NOON + DAY, value=v, transaction_id="a") for v in ("9.99", 10, 10)
)
TOO_LATE = event("refund", NOON + DAY + 1000, value=10, transaction_id="b")
PAUSED = event("view_item", NOON + 2 * HOUR, item_category="b", device="mobile")


@pytest.mark.parametrize(
    ("declaration", "events", "now", "expected"),
    [
        ({"count": "purchase", "window": "24h"}, [BUY, LATE], NOON, 1),
        ({"count": "purchase", "window": "24h"}, [BUY], NOON + 23 * HOUR, 1),
        ({"count": "purchase", "window": "24h"}, [BUY], NOON + 24 * HOUR, 0),
        ({"count": "purchase", "window": "4d"}, [BUY, LATE], NOON, 2),
        ({"count": "purchase", "window": "3d"}, [BUY, LATE], NOON, 1),
        ({"count": "purchase", "window": "all"}, [BUY, BUY, LATE], NOON, 2),
        ({"count": "purchase", "where": "item_category == 'shoes'"}, [BUY, LATE], NOON, 1),
        ({"sum": "purchase.value"}, [BUY, LATE], NOON, 12.53),
        ({"sum": "purchases.price", "where": "item_category == 'shoes'"}, [BUY, BACK], NOON, 8),
        ({"sum": "purchase.quantity"}, [BUY], NOON, 3),
        ({"mean": "purchase.price"}, [BUY], NOON, 3),
        ({"mean": "purchase.price"}, [], NOON, None),
        ({"max": "purchase.value"}, [BUY, LATE], NOON, 10),
        ({"distinct": "view_item.item_category"}, [*LOOKS, PAUSED], NOON, 2),
        ({"distinct": "purchase.item_category"}, [BUY], NOON, 2),
        ({"hours_since": "view_item"}, LOOKS, NOON + HOUR, 2 / 3),
        ({"tenure": "days"}, [BUY, LATE], NOON, 3),
        ({"active_days": "any", "window": "7d"}, [BUY, LATE, *LOOKS], NOON, 2),
        ({"sessions": "clicks", "window": "24h"}, [*LOOKS, PAUSED], NOON + DAY - 12 * HOUR, 2),
        ({"cancellations": "purchases"}, [ORDER, OTHER, PART, FULL, AGAIN], NOON, 1),
        ({"cancellations": "purchases"}, [OTHER, PART, TOO_LATE, BUY, BACK], NOON, 0),
        ({"cancellations": "purchases"}, [ORDER, OTHER, OTHER, OTHER, OTHER, FULL], NOON, 1),
        ({"cancellations": "purchases", "window": "1d"}, [ORDER, FULL], NOON + 2 * DAY, 0),
        ({"share": "view_item", "where": "mobile"}, [*LOOKS, PAUSED], NOON, 0.25),
        ({"share": "view_item", "where": "mobile"}, [], NOON, None),
        ({"share": "purchase", "where": "discounted"}, [BUY, LATE], NOON, 0.5),
        ({"share": "any", "where": "weekend"}, [event("login", NOON + 3 * DAY)], NOON, 1),
        ({"share": "any", "where": "night"}, [event("login", NOON)], NOON, 0),
        ({"last": "device"}, [PAUSED, *LOOKS], NOON, "mobile"),
        ({"usual": "device"}, [PAUSED, *LOOKS], NOON, "mobile"),
    ],
)
def test_features(
    declaration: dict[str, Any], events: list[dict[str, Any]], now: int, expected: Any
) -> None:
    assert value(declaration, events, now) == pytest.approx(expected)


def test_own_offset_decides_what_night_is() -> None:
    night = {"share": "any", "where": "night"}
    there = event("login", "2017-03-01T23:30:00+09:00")
    zulu = event("login", "2017-03-01T14:30:00Z")
    assert value(night, [there], NOON + DAY) == 1
    assert value(night, [zulu], NOON + DAY) == 0


def test_three_day_panes_hang_on_the_epoch() -> None:
    sixty = {"count": "login", "window": "60d"}
    pane = NOON // (3 * DAY) * 3 * DAY
    edges = [event("login", pane - 57 * DAY), event("login", pane - 57 * DAY - 1)]
    assert value(sixty, edges, pane) == 1
    assert value(sixty, edges, pane + 3 * DAY - 1) == 1
    assert value(sixty, edges, pane + 3 * DAY) == 0


def test_interests_decay_and_give_way() -> None:
    top = {
        "top": ["view_item", "add_to_cart"],
        "of": "item_category",
        "half_life": "1d",
        "weights": {"add_to_cart": 3},
    }
    seen = [
        event("view_item", NOON, item_category="old"),
        event("view_item", NOON + DAY, item_category="new"),
        event("add_to_cart", NOON + DAY, item_category="cart"),
    ]
    assert value(top, seen, NOON + DAY) == [("cart", 6 / 9), ("new", 2 / 9), ("old", 1 / 9)]
    many = [event("add_to_cart", NOON + DAY, item_category=c) for c in "abcdefg"]
    kept = value(top, [*seen, *many], NOON + DAY)
    assert len(kept) == 8
    assert "old" not in dict(kept)


def test_only_the_last_32_ids_are_remembered() -> None:
    reference = Reference({"features": {"x": {"count": "login"}}})
    logins = [event("login", NOON) for _ in range(33)]
    assert all(reference.add("clicks", login) for login in logins)
    assert not reference.add("clicks", logins[1])
    assert reference.add("clicks", logins[0])
    assert reference.add("purchases", {**logins[5], "type": "purchase"})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x > 1 and y > 1", None),
        ("x > 5 and y > 1", False),
        ("x > 1 or y > 1", True),
        ("not y > 1", None),
        ("y != 1", None),
        ("has(y)", False),
        ("coalesce(y, 7) == 7", True),
        ("1 < x < 3", True),
        ("1 < x < y", None),
        ("x / 0 > 1", None),
        ("max(x, 4) == 4 and -x < 0", True),
        ("t in ('a', 'b')", True),
        ("t not in ('a', 'b')", False),
        ("x", True),
        ("y", None),
    ],
)
def test_three_valued_logic(source: str, expected: bool | None) -> None:
    assert truth(source, {"x": 2.0, "y": None, "t": "a"}) is expected


def test_tags_without_memory() -> None:
    rules = {
        "buyer": {"when": "orders >= 1"},
        "level": {"values": {"high": "orders > 1", "low": "orders > 0"}},
        "quiet": {"when": "since > 1"},
        "sticky": {"when": "orders >= 1", "until": "orders < 1"},
    }
    features = {"orders": {"count": "purchase"}, "since": {"hours_since": "login"}}
    reference = Reference({"features": features, "tags": rules})
    assert reference.tags("u", NOON) == {}
    reference.add("purchases", BUY)
    assert reference.tags("u", NOON) == {"buyer": True, "level": "low"}
