"""Each kind of feature on a few events, with expected values worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from support.shoppers import Shoppers

HOUR = 3_600_000
DAY = 24 * HOUR
#: Tuesday 2023-11-14, midnight UTC.
START = 19_675 * DAY
_numbers = iter(range(1_000_000))


def click(kind: str = "view_item", at: int = 0, **fields: Any) -> dict[str, Any]:
    return {"id": f"c{next(_numbers)}", "type": kind, "user": "u", "at": START + at, **fields}


def purchase(value: int = 1_000, at: int = 0, **fields: Any) -> dict[str, Any]:
    return click("purchase", at, value=value, **fields)


SHOES = {"item_category": "shoes", "price": 2_000, "quantity": 2}
HATS = {"item_category": "hats", "price": 500, "quantity": 1}

CASES: list[tuple[str, list[dict[str, Any]], int, Any]] = [
    # feature, events, hours after START, expected
    ("{count: view_item, window: 24h}", [click(), click(), click("search")], 0, 2),
    ("{count: view_item, window: 24h}", [click()], 23, 1),
    ("{count: view_item, window: 24h}", [click()], 24, 0),
    ("{count: [view_item, search], window: 1h}", [click(), click("search")], 0, 2),
    ("{count: any, window: 2d}", [click(), purchase(at=DAY)], 24, 2),
    ("{count: any, window: 2d}", [click(), purchase(at=DAY)], 48, 1),
    ("{count: clicks, window: 90d}", [click(), click(at=3 * DAY)], 90 * 24, 1),
    ("{count: purchases, window: all}", [purchase(), click("refund", value=5)], 10_000, 2),
    ("{count: view_item, where: price > 10, window: 1d}", [click(price=1_001), click()], 0, 1),
    (
        "{count: purchase, where: \"item_category == 'shoes'\", window: 1d}",
        [purchase(items=[HATS, SHOES, SHOES]), purchase(items=[HATS]), purchase()],
        0,
        1,
    ),
    ("{sum: purchase.value, window: 7d}", [purchase(1_999), purchase(2)], 0, 20.01),
    ("{sum: purchase.value, window: 7d}", [click()], 0, 0),
    ("{sum: purchase.quantity, window: 7d}", [purchase(items=[SHOES, HATS])], 0, 3),
    ("{sum: any.price, window: 7d}", [purchase(items=[SHOES]), click(price=5)], 0, 20.05),
    (
        "{sum: purchase.price, where: \"item_category == 'shoes'\", window: 7d}",
        [purchase(items=[SHOES, HATS]), purchase(items=[HATS])],
        0,
        20,
    ),
    (
        "{sum: purchase.value, where: \"item_category == 'shoes'\", window: 7d}",
        [purchase(700, items=[SHOES, SHOES]), purchase(items=[HATS])],
        0,
        7,
    ),
    ("{mean: view_item.price, window: 7d}", [click(price=100), click(price=200), click()], 0, 1.5),
    ("{mean: view_item.price, window: 7d}", [click(), click("search", price=1)], 0, None),
    ("{mean: purchase.price, window: 7d}", [purchase(items=[SHOES, HATS])], 0, 12.5),
    ("{max: purchase.value, window: all}", [purchase(-5), purchase(-7)], 999, -0.05),
    ("{max: purchase.value, window: 2h}", [purchase(900), purchase(700, HOUR)], 1, 9),
    ("{max: purchase.value, window: 2h}", [purchase(900), purchase(700, HOUR)], 2, 7),
    ("{max: purchase.value, window: 2h}", [purchase(900)], 2, None),
    ("{hours_since: search}", [click("search"), click("search", 30 * 60_000)], 2, 1.5),
    ("{hours_since: search}", [click()], 2, None),
    ("{hours_since: any, where: mobile}", [click(device="mobile"), click(at=HOUR)], 2, 2),
    ("{tenure: days}", [click(), click(at=-DAY)], 12, 1.5),
    ("{tenure: hours}", [click()], 12, 12),
    ("{active_days: any, window: 3d}", [click(), click(at=5), purchase(at=2 * DAY)], 48, 2),
    ("{active_days: any, window: 3d}", [click(), click(at=5), purchase(at=2 * DAY)], 72, 1),
    ("{share: clicks, where: mobile, window: 1d}", [click(device="tablet"), click()], 0, 0.5),
    ("{share: clicks, where: mobile, window: 1d}", [purchase()], 0, None),
    ("{last: device}", [click(device="tv", at=5), click(device="mobile"), click(at=9)], 0, "tv"),
    ("{last: device}", [click()], 0, None),
    ("{last: channel}", [purchase(channel="email", at=1), click(channel="direct")], 0, "email"),
    ("{last: channel, from: clicks}", [purchase(channel="a", at=1), click(channel="b")], 0, "b"),
    (
        "{usual: device}",
        [click(device="tv"), click(device="mobile"), click(device="mobile")],
        0,
        "mobile",
    ),
    # 30 days halve a weight: one new event outweighs one and a half old ones.
    (
        "{usual: device}",
        [click(device="tv"), click(device="mobile", at=30 * DAY)],
        30 * 24,
        "mobile",
    ),
    ("{distinct: view_item.item_category, window: 1d}", [click()], 0, 0),
]


@pytest.mark.parametrize(("feature", "events", "hours", "expected"), CASES)
def test_value(feature: str, events: list[dict[str, Any]], hours: int, expected: Any) -> None:
    made = Shoppers(f"f: {feature}")
    made.fold(events)
    found = made.values(START + hours * HOUR)["f"]
    assert found == (pytest.approx(expected) if isinstance(expected, float) else expected)


def test_ratios_are_missing_over_nothing() -> None:
    made = Shoppers(
        "spend: {sum: purchase.value, window: 7d}\norders: {count: purchase, window: 7d}\n"
        "basket: {ratio: [spend, orders]}\nupside_down: {ratio: [orders, spend]}\n"
        "again: {ratio: [basket, basket]}"
    )
    made.fold([click()])
    values = made.values(START)
    assert (values["basket"], values["upside_down"], values["again"]) == (None, None, None)
    made.fold([purchase(500), purchase(1_500)])
    values = made.values(START)
    assert (values["basket"], values["upside_down"], values["again"]) == (10.0, 0.1, 1.0)


def test_top_lists_shares_heaviest_first() -> None:
    made = Shoppers(
        "f: {top: [view_item, add_to_cart], of: item_category, half_life: 1d, "
        "weights: {add_to_cart: 3}}"
    )
    events = [("view_item", "hats", 0), ("add_to_cart", "shoes", 0), ("view_item", "bags", DAY)]
    made.fold([click(kind, at, item_category=text) for kind, text, at in events])
    assert [text for text, _ in made.values(START)["f"]] == ["shoes", "bags", "hats"]
    shares = [share for _, share in made.values(START)["f"]]
    assert shares == pytest.approx([1.5 / 3, 1 / 3, 0.5 / 3])


def test_words_follow_the_shop_and_the_events_own_offset() -> None:
    made = Shoppers(
        "night: {count: any, where: night, window: all}\n"
        "weekend: {count: any, where: weekend, window: all}\n"
        "eight: {count: any, where: hour == 8 and weekday == 1, window: all}\n"
        "cheap: {count: any, where: discounted, window: all}",
        timezone="Asia/Tokyo",
        night=(22, 6),
    )
    # 23:30 UTC on Monday is 8:30 on Tuesday in Tokyo.
    made.fold([click(at=-HOUR // 2)])
    # In New York it is 18:30, in Kathmandu 5:15 at night.
    made.fold([click(at=-HOUR // 2, utc_offset=-300), click(at=-HOUR // 2, utc_offset=345)])
    made.fold([purchase(discount=5), purchase(coupon="X"), purchase(discount=0)])
    values = made.values(START)
    assert (values["night"], values["weekend"]) == (1, 0)
    assert (values["eight"], values["cheap"]) == (1, 2)


def test_the_night_may_lie_within_one_day() -> None:
    made = Shoppers("f: {count: any, where: night, window: all}", timezone="UTC", night=(1, 5))
    made.fold([click(at=hour * HOUR) for hour in range(24)])
    assert made.values(START + DAY)["f"] == 4


def test_a_currency_without_minor_units() -> None:
    made = Shoppers("f: {sum: purchase.value, window: 1d}", exponent=0)
    made.fold([purchase(500)])
    assert made.values(START)["f"] == 500


def test_counts_stop_at_the_greatest_number_of_two_bytes() -> None:
    made = Shoppers("f: {count: any, window: 1d}\nall: {count: any, window: all}")
    made.fold([click()])
    made.rows["count:day:any"][:] = 65_530
    made.rows["count:all:any"][:] = 2**32 - 2
    made.fold([click() for _ in range(4)])
    assert (made.values(START)["f"], made.values(START)["all"]) == (65_534, 2**32 - 1)
    made.fold([click() for _ in range(4)])
    assert made.rows["count:day:any"].max() == 65_535


def test_a_window_ends_at_now_even_when_the_row_is_ahead() -> None:
    made = Shoppers("f: {count: any, window: 2d}\ng: {max: purchase.value, window: 2d}")
    made.fold([click(), purchase(300, at=DAY)])
    assert made.values(START)["f"] == 1
    assert made.values(START)["g"] is None
    assert made.due(START) == START + DAY


def test_an_event_older_than_the_ring_leaves_it_untouched() -> None:
    made = Shoppers("f: {count: any, window: 2d}\ntenure: {tenure: days}")
    made.fold([click()])
    made.fold([click(at=-2 * DAY)])
    assert made.values(START)["f"] == 1
    assert made.values(START)["tenure"] == 2
