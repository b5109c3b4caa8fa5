"""One feature of every kind and pane width, and random shoppers' events for them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

EVERY_KIND = """
orders_30d: {count: purchase, window: 30d}
events_7d: {count: any, window: 7d}
carts_24h: {count: add_to_cart, window: 24h}
views_6h: {count: view_item, window: 6h}
views_30d3: {count: view_item, window: 30d/3d}
views_90d: {count: view_item, window: 90d}
clicks_all: {count: clicks, window: all}
spend_30d: {sum: purchase.value, window: 30d}
spend_48h: {sum: purchase.value, window: 48h}
discount_all: {sum: purchases.discount, window: all}
price_7d: {mean: any.price, window: 7d}
max_order: {max: purchase.value, window: all}
max_price_12h: {max: view_item.price, window: 12h}
categories_30d: {distinct: any.item_category, window: 30d}
categories_7d: {distinct: any.item_category, window: 7d}
devices_6h: {distinct: clicks.device, window: 6h}
items_all: {distinct: purchases.item_id, window: all}
hours_since_cart: {hours_since: add_to_cart}
hours_since_any: {hours_since: any}
hours_since_shoes: {hours_since: any, where: "item_category == 'shoes'"}
tenure_days: {tenure: days}
tenure_hours: {tenure: hours}
active_days_30d: {active_days: any, window: 30d}
buying_days_7d: {active_days: purchase, window: 7d}
sessions_7d: {sessions: clicks, window: 7d}
sessions_all: {sessions: clicks, window: all}
cancellations_7d: {cancellations: purchases, window: 7d}
cancellations_all: {cancellations: purchases, window: all}
night_share_90d: {share: purchase, where: night, window: 90d}
mobile_share: {share: clicks, where: mobile, window: all}
shoe_views_7d: {count: view_item, where: "item_category == 'shoes'", window: 7d}
shoe_orders_30d: {count: purchase, where: "item_category == 'shoes' and price > 5", window: 30d}
shoe_prices: {sum: any.price, where: "item_category == 'shoes'", window: 30d}
interests:
  {top: [view_item, add_to_cart], of: item_category, half_life: 14d, weights: {add_to_cart: 3}}
bought: {top: purchase, of: item_id, half_life: 1h}
device: {last: device}
channel: {last: channel}
usual_device: {usual: device}
usual_channel: {usual: channel, from: purchases}
basket_value: {ratio: [spend_30d, orders_30d]}
orders_a_day: {ratio: [orders_30d, tenure_days]}
"""

HOUR = 3_600_000
#: Midnight UTC of a day whose number three divides.
START = 19_677 * 24 * HOUR
TEXTS = {
    "item_category": ["shoes", "hats", "socks", "coats", "bags", "gloves", "ties", "belts", "caps"],
    "item_id": [f"item {i}" for i in range(10)],
    "device": ["mobile", "desktop", "tablet", "tv"],
    "channel": ["email", "search", "direct", "referral"],
    "coupon": ["WELCOME"],
    "transaction_id": ["1", "2", "3", "4", "5"],
}
CLICKS = ["page_view", "view_item", "view_item", "add_to_cart", "search"]


def _maybe(name: str) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(TEXTS[name])


#: Close together, on the edges of panes, and far apart.
MOMENTS = st.one_of(
    st.integers(0, 3 * HOUR),
    st.integers(0, 100 * 24).map(lambda hour: hour * HOUR),
    st.integers(0, 100 * 24).map(lambda hour: hour * HOUR - 1),
    st.integers(0, 100 * 24 * HOUR),
).map(lambda offset: START + offset)
AMOUNTS = st.integers(-(10**12), 10**12) | st.integers(0, 10_000)
LINES = st.fixed_dictionaries(
    {"item_id": _maybe("item_id"), "item_category": _maybe("item_category"), "price": AMOUNTS}
)
USERS = st.sampled_from(["u", "u", "v"])
#: Few, so that they repeat; ids of clicks and purchases differ, as ties between topics are open.
NUMBERS = st.integers(0, 60)
CLICK = st.fixed_dictionaries(
    {
        "id": NUMBERS.map("click {}".format),
        "type": st.sampled_from(CLICKS),
        "user": USERS,
        "at": MOMENTS,
        "item_category": _maybe("item_category"),
        "device": _maybe("device"),
        "channel": _maybe("channel"),
    },
    optional={"price": AMOUNTS, "utc_offset": st.sampled_from([-480, 60])},
)
PURCHASE = st.fixed_dictionaries(
    {
        "id": NUMBERS.map("purchase {}".format),
        "type": st.sampled_from(["purchase", "purchase", "refund"]),
        "user": USERS,
        "at": MOMENTS,
        "value": AMOUNTS,
        "channel": _maybe("channel"),
        "items": st.lists(LINES, max_size=3),
    },
    optional={
        "discount": AMOUNTS,
        "coupon": _maybe("coupon"),
        "transaction_id": _maybe("transaction_id"),
    },
)
EVENTS = st.lists(CLICK | PURCHASE, max_size=40)
