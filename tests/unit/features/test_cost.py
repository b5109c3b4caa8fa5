"""What a feature costs in a row, and what features share."""

from __future__ import annotations

from support.shoppers import Shoppers

SHARING = """
orders_30d: {count: purchase, window: 30d}
orders_7d: {count: purchase, window: 7d}
active: {active_days: purchase, window: 30d}
night: {share: purchase, where: night, window: 30d}
mean_7d: {mean: purchase.value, window: 7d}
sum_7d: {sum: purchase.value, window: 7d}
kinds: {distinct: purchase.item_id, window: 7d}
cancelled: {cancellations: purchases, window: all}
cancelled_7d: {cancellations: purchases, window: 7d}
tenure: {tenure: days}
last_any: {hours_since: any}
"""


def test_features_with_the_same_source_and_pane_width_share_a_ring() -> None:
    made = Shoppers(SHARING)
    costs = {cost.name: cost for cost in made.bound.describe()}
    assert costs["orders_7d"].bytes == 60
    assert costs["orders_7d"].shared_with == ("orders_30d", "active", "night")
    assert costs["night"].bytes == 120
    assert costs["mean_7d"].bytes == 7 * 8 + 7 * 2
    assert costs["sum_7d"].shared_with == ("mean_7d",)
    assert (costs["kinds"].bytes, costs["kinds"].kind) == (64, "distinct")
    assert "standard error" in costs["kinds"].note
    assert (costs["cancelled"].bytes, costs["cancelled_7d"].bytes) == (48 + 4, 48 + 14)
    assert costs["cancelled"].shared_with == ("cancelled_7d",)
    assert costs["tenure"].bytes == costs["last_any"].bytes == 0


def test_the_row_has_nothing_but_what_is_needed() -> None:
    header = 8 + 3 * 8 + 4 + 2 * 32 * 4 + 2
    assert Shoppers("tenure: {tenure: days}").layout.size == -(-header // 8) * 8
    orders = Shoppers("orders: {count: purchase, window: 7d}")
    assert orders.layout.size == -(-(header + 4 + 7 * 2) // 8) * 8
