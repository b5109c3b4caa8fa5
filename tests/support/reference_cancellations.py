"""Which refunds are cancellations, by reading a user's purchases topic from its beginning."""

from __future__ import annotations

from collections.abc import Iterable

from support.reference_events import Event, text

#: A refund is compared with so many purchases before it that no refund has cancelled.
REMEMBERED_PURCHASES = 4
DAY_SECONDS = 86_400


def cancelling(log: Iterable[Event]) -> list[Event]:
    """The refunds that pay a purchase back in full, at most a day after it, to the second.

    Of several such purchases it is the one read last.
    """
    open_orders: list[Event] = []
    found: list[Event] = []
    for event in log:
        if text(event.raw, "transaction_id") is None:
            continue
        if event.type == "purchase":
            open_orders = [*open_orders, event][-REMEMBERED_PURCHASES:]
            continue
        paid_back = [i for i, order in enumerate(open_orders) if pays_back(event, order)]
        if paid_back:
            del open_orders[paid_back[-1]]
            found.append(event)
    return found


def pays_back(refund: Event, order: Event) -> bool:
    """Is it the same transaction, all of its value, and soon enough?"""
    if text(refund.raw, "transaction_id") != text(order.raw, "transaction_id"):
        return False
    given, paid = refund.number("value"), order.number("value")
    assert given is not None
    assert paid is not None
    later = refund.at // 1000 - order.at // 1000
    return given >= paid and 0 <= later <= DAY_SECONDS
