"""A user's state and the fold: counters, and panes of days and of three days.

The state is made of dicts, lists and whole numbers, so that every framework can keep it as JSON or
pickle it. Amounts are cents. `week` has a pane a day (`days`), `month` one each three days; each is
[number, counters...] in rising order, with the sums of all panes beside them, so that a look costs
nothing and time passing costs what has left.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zlib import crc32

State = dict[str, Any]

DAY = 86_400_000
SESSION_GAP = 30 * 60_000
WEEK, MONTH = 7, 10
#: Places of counters in a day's pane.
VIEWS, SEARCHES, CARTS, WISHES, PROMOTIONS, SHARES, SESSIONS, ORDERS = range(1, 9)
OF_DAY = {
    "view_item": VIEWS,
    "search": SEARCHES,
    "add_to_cart": CARTS,
    "add_to_wishlist": WISHES,
    "select_promotion": PROMOTIONS,
    "share": SHARES,
    "purchase": ORDERS,
}
#: Places in a pane of three days; CATEGORIES is a set of 64 registers, which no sum has.
EVENTS, BOUGHT, SPENT, COUPONS, CATEGORIES = range(1, 6)
_DAY_SIZE, _MONTH_SIZE = 9, 6


def empty() -> State:
    """A user of whom nothing is known."""
    return {
        "now": 0, "first": 1 << 62, "click": None, "cart": None, "order": None,
        "clicks": 0, "mobile": 0, "sign_ups": 0, "orders": 0, "spent": 0, "largest": 0,
        "discount": 0, "coupons": 0, "refunds": 0, "refunded": 0,
        "days": [], "week": [0] * _DAY_SIZE, "panes": [], "month": [0] * _MONTH_SIZE,
        "tags": {}, "version": 0,
    }  # fmt: skip


def moment(text: str | int) -> int:
    """Epoch milliseconds of an event's `occurred_at`."""
    if isinstance(text, int):
        return text
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def cents(amount: float | None) -> int:
    """Minor units of an amount with two decimals."""
    return round(amount * 100) if amount else 0


def fold(state: State, event: dict[str, Any]) -> None:
    """Add an event to the state in place."""
    at, kind = moment(event["occurred_at"]), event["type"]
    state["first"] = min(state["first"], at)
    if at > state["now"]:
        state["now"] = at
        advance(state)
    day = _pane(state["days"], at // DAY, state["now"] // DAY - WEEK, _DAY_SIZE)
    pane = _pane(state["panes"], at // DAY // 3, state["now"] // DAY // 3 - MONTH, _MONTH_SIZE)
    if pane is not None:
        _add(pane, state["month"], EVENTS, 1)
    if kind in OF_DAY and day is not None:
        _add(day, state["week"], OF_DAY[kind], 1)
    if kind == "purchase":
        _purchase(state, event, at, pane)
    elif kind == "refund":
        state["refunds"] += 1
        state["refunded"] += cents(event["value"])
    else:
        _click(state, event, at, day, pane)


def advance(state: State) -> None:
    """Drop what has left the windows at `now`."""
    days, week, today = state["days"], state["week"], state["now"] // DAY
    while days and days[0][0] <= today - WEEK:
        _subtract(week, days.pop(0), _DAY_SIZE)
    panes, month = state["panes"], state["month"]
    while panes and panes[0][0] <= today // 3 - MONTH:
        _subtract(month, panes.pop(0), CATEGORIES)


def _subtract(sums: list[int], pane: list[int], end: int) -> None:
    for place in range(1, end):
        sums[place] -= pane[place]


def _add(pane: list[int], sums: list[int], place: int, amount: int) -> None:
    pane[place] += amount
    sums[place] += amount


def _pane(panes: list[list[int]], number: int, gone: int, size: int) -> list[int] | None:
    """The pane of that number, made if need be; None when it has left the window."""
    if panes and panes[-1][0] == number:
        return panes[-1]
    if number <= gone:
        return None
    place = len(panes)
    while place and panes[place - 1][0] > number:
        place -= 1
    if place and panes[place - 1][0] == number:
        return panes[place - 1]
    made = [number] + [0] * (size - 1)
    panes.insert(place, made)
    return made


def _purchase(state: State, event: dict[str, Any], at: int, pane: list[int] | None) -> None:
    value, coupon = cents(event["value"]), bool(event.get("coupon"))
    state["orders"] += 1
    state["spent"] += value
    state["largest"] = max(state["largest"], value)
    state["discount"] += cents(event.get("discount"))
    state["coupons"] += coupon
    state["order"] = at if state["order"] is None else max(state["order"], at)
    if pane is not None:
        _add(pane, state["month"], BOUGHT, 1)
        _add(pane, state["month"], SPENT, value)
        _add(pane, state["month"], COUPONS, int(coupon))


def _click(
    state: State, event: dict[str, Any], at: int, day: list[int] | None, pane: list[int] | None
) -> None:
    kind, latest = event["type"], state["click"]
    state["clicks"] += 1
    state["mobile"] += event.get("device") in ("mobile", "tablet")
    state["sign_ups"] += kind == "sign_up"
    if (latest is None or at - latest > SESSION_GAP) and day is not None:
        _add(day, state["week"], SESSIONS, 1)
    state["click"] = at if latest is None else max(latest, at)
    if kind == "add_to_cart":
        state["cart"] = at if state["cart"] is None else max(state["cart"], at)
    elif kind == "view_item" and pane is not None and event.get("item_category"):
        pane[CATEGORIES] |= 1 << register(event["item_category"])


def register(text: str) -> int:
    """Which of 64 registers a text falls into (CRC-32, spread by MurmurHash3's finalizer)."""
    h = crc32(text.encode())
    h = ((h ^ h >> 16) * 0x85EBCA6B) & 0xFFFFFFFF
    h = ((h ^ h >> 13) * 0xC2B2AE35) & 0xFFFFFFFF
    return (h ^ h >> 16) >> 26
