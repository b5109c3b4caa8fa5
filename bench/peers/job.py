"""The job, once for all contenders, in plain Python: `Job().step(state, event)` gives the changes.

Stock Faust, Quix Streams, Bytewax and PyFlink call it for each event with the user's state; for
stream_app it is the reference. Features are those of `job.yaml`, and so are the tags; a unit test
compares both with the engine.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from bench.peers.score import MODEL, Scorer
from bench.peers.state import (
    BOUGHT,
    CARTS,
    CATEGORIES,
    COUPONS,
    DAY,
    EVENTS,
    ORDERS,
    PROMOTIONS,
    SEARCHES,
    SESSIONS,
    SHARES,
    SPENT,
    VIEWS,
    WISHES,
    State,
    empty,
    fold,
)

Features = dict[str, Any]
Change = dict[str, Any]

HOUR = 3_600_000
#: Estimates of linear counting by the number of empty registers.
_ESTIMATES = [64 * math.log(64 / max(free, 0.5)) for free in range(65)]
AUDIT = "audit-"


class Job:
    """Folds events and decides tags; `audit` adds a record of all features at audit events."""

    def __init__(self, *, audit: bool = False) -> None:
        self._scorer = Scorer()
        self._audit = audit

    def step(self, state: State | None, event: dict[str, Any]) -> tuple[State, list[Change]]:
        """Fold an event into its user's state (in place); return the state and what to publish."""
        if state is None:
            state = empty()
        fold(state, event)
        found = features(state)
        changes = self._decide(event["user_id"], state, found)
        if self._audit and event["event_id"].startswith(AUDIT):
            changes.append({"user_id": event["user_id"], "audit": event["event_id"], **found})
        return state, changes

    def _decide(self, user: str, state: State, found: Features) -> list[Change]:
        held, wanted = state["tags"], tags(found, state["tags"])
        score = self._scorer.probability(found)
        if score >= MODEL["threshold"]:
            wanted[MODEL["task"]] = True
        if wanted == held:
            return []
        at = datetime.fromtimestamp(state["now"] / 1000, UTC).isoformat(timespec="milliseconds")
        changes = []
        for tag in {**held, **wanted}:
            before, after = held.get(tag), wanted.get(tag)
            if before != after:
                state["version"] += 1
                changes.append(_change(user, tag, before, after, state["version"], at))
        state["tags"] = wanted
        return changes


def _change(user: str, tag: str, before: Any, after: Any, version: int, at: str) -> Change:
    action = "removed" if after is None else "added" if before is None else "updated"
    return {
        "change_id": f"{user}:{version}", "user_id": user, "tag": tag, "action": action,
        "value": after, "previous": before, "version": version, "occurred_at": at,
    }  # fmt: skip


def _ratio(above: float, below: float) -> float | None:
    return above / below if below else None


def _hours(now: int, then: int | None) -> float | None:
    return None if then is None else (now - then) / HOUR


def features(s: State) -> Features:
    """Every feature of `job.yaml` at the state's own time; None is missing."""
    week, month, orders, now = s["week"], s["month"], s["orders"], s["now"]
    recent, seen = now // DAY // 3 - 3, 0
    latest = 0
    for pane in s["panes"]:
        seen |= pane[CATEGORIES]
        if pane[0] > recent:
            latest += pane[EVENTS]
    spent, spent_30d, sessions = s["spent"] / 100, month[SPENT] / 100, week[SESSIONS]
    return {
        "tenure_days": (now - s["first"]) / DAY,
        "sessions_7d": sessions,
        "active_days_7d": len(s["days"]),
        "events_9d": latest,
        "events_30d": month[EVENTS],
        "recent_activity": _ratio(latest, month[EVENTS]),
        "views_7d": week[VIEWS],
        "searches_7d": week[SEARCHES],
        "views_per_session_7d": _ratio(week[VIEWS], sessions),
        "clicks_total": s["clicks"],
        "mobile_share": _ratio(s["mobile"], s["clicks"]),
        "sign_ups_total": s["sign_ups"],
        "wishes_7d": week[WISHES],
        "carts_7d": week[CARTS],
        "hours_since_cart": _hours(now, s["cart"]),
        "promotions_7d": week[PROMOTIONS],
        "shares_7d": week[SHARES],
        "categories_30d": _ESTIMATES[64 - seen.bit_count()],
        "orders_7d": week[ORDERS],
        "orders_30d": month[BOUGHT],
        "orders_total": orders,
        "hours_since_order": _hours(now, s["order"]),
        "orders_per_session_7d": _ratio(week[ORDERS], sessions),
        "spend_30d": spent_30d,
        "spend_total": spent,
        "average_order": _ratio(spent, orders),
        "largest_order": s["largest"] / 100 if orders else None,
        "discount_total": s["discount"] / 100,
        "discount_rate": _ratio(s["discount"] / 100, spent),
        "coupon_orders_30d": month[COUPONS],
        "coupon_share": _ratio(s["coupons"], orders),
        "refunds_total": s["refunds"],
        "refunded_total": s["refunded"] / 100,
        "refund_rate": _ratio(s["refunded"] / 100, spent),
    }


def tags(f: Features, held: dict[str, Any]) -> dict[str, Any]:
    """The rules' tags that hold, after those that were held; what is missing makes nothing true."""
    since_cart, since_order = f["hours_since_cart"], f["hours_since_order"]
    orders, spend, views = f["orders_total"], f["spend_30d"], f["views_7d"]
    rate, share, buys = f["discount_rate"], f["coupon_share"], f["orders_per_session_7d"]
    quiet = orders == 0 or (since_order is not None and since_order >= 24)
    refunded = f["refund_rate"]
    true = {
        "registered": f["sign_ups_total"] >= 1,
        "cart_abandoner": since_cart is not None and 1 <= since_cart < 24 and quiet,
        "window_shopper": not (f["orders_7d"] >= 1 or views < 4)
        if "window_shopper" in held
        else views >= 10 and f["orders_7d"] == 0,
        "frequent_visitor": f["active_days_7d"] > 4
        if "frequent_visitor" in held
        else f["active_days_7d"] >= 6,
        "decisive_buyer": f["orders_7d"] >= 2 and buys is not None and buys >= 0.5,
        "wish_collector": f["wishes_7d"] >= 2,
        "explorer": f["categories_30d"] >= (3 if "explorer" in held else 6),
        "big_spender": spend >= 280 if "big_spender" in held else spend > 350,
        "splurger": bool(orders)
        and f["largest_order"] >= 100
        and f["largest_order"] >= 1.5 * f["average_order"],
        "full_price_buyer": rate is not None and rate < 0.05 and orders >= 5,
        "promotion_driven": f["promotions_7d"] >= 2
        or (share is not None and share >= 0.1 and orders >= 10),
        "advocate": f["shares_7d"] >= 1,
        "keeps_everything": orders >= 5 and f["refunds_total"] == 0,
        "returner": f["refunds_total"] >= 1 and refunded is not None and refunded >= 0.1,
        "prospect": f["sessions_7d"] >= 3 and orders == 0,
        "new_customer": orders >= 1 and f["tenure_days"] < 30,
        "best_customer": spend >= 200
        if "best_customer" in held
        else f["orders_30d"] >= 4 and spend >= 300 and f["spend_total"] >= 400,
        "at_risk": orders >= 5 and 504 <= since_order < 1344,
        "returned": f["orders_7d"] >= 1
        and f["orders_30d"] == f["orders_7d"]
        and orders > f["orders_30d"],
    }
    found: dict[str, Any] = {tag: True for tag, holds in true.items() if holds}
    if spend > 0:
        found["spend_level"] = "high" if spend >= 300 else "mid" if spend >= 75 else "low"
    return found
