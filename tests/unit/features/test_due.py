"""`due`: nothing changes before it, and thresholds are passed to the millisecond."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.catalogue import EVENTS, EVERY_KIND, START
from support.shoppers import Shoppers

from stream_app.features import NEVER
from stream_app.features.due import crossings

HOUR = 3_600_000
DAY = 24 * HOUR
THRESHOLDS = {
    "hours_since_cart": (0.1, 1.0, 24.0, 100.7),
    "hours_since_any": (1 / 3, 30.0),
    "tenure_days": (1.1, 30.0),
    "tenure_hours": (7.0,),
    "no_such_feature": (1.0,),
}
PASSING = {*THRESHOLDS, "hours_since_shoes", "orders_a_day"}
PURCHASE = {"id": "p", "type": "purchase", "user": "u", "at": START, "value": 500, "items": []}
CART = {"id": "c", "type": "add_to_cart", "user": "u", "at": START}


def sides(values: dict[str, Any]) -> dict[str, list[int]]:
    """Below, at or above each threshold."""
    found = {}
    for name, thresholds in THRESHOLDS.items():
        value = values.get(name)
        if value is not None:
            found[name] = [(value > limit) - (value < limit) for limit in thresholds]
    return found


def still(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in PASSING}


@settings(max_examples=40)
@given(
    events=EVENTS.filter(bool),
    wait=st.integers(0, 40 * DAY) | st.integers(0, 3 * HOUR),
    part=st.floats(0, 1),
)
def test_nothing_changes_before_due(events: list[dict[str, Any]], wait: int, part: float) -> None:
    made = Shoppers(EVERY_KIND)
    made.fold(events)
    now = max(event["at"] for event in events) + wait
    for user in made.users:
        before = made.values(now, user)
        due = made.due(now, THRESHOLDS, user=user)
        assert due > now
        end = min(due, now + 200 * DAY) - 1
        for moment in (end, now + int(part * (end - now))):
            after = made.values(moment, user)
            assert still(after) == still(before)
            assert sides(after) == sides(before)


@settings(max_examples=12)
@given(events=EVENTS.filter(bool))
def test_all_windows_are_empty_at_the_end(events: list[dict[str, Any]]) -> None:
    made = Shoppers(EVERY_KIND)
    made.fold(events)
    now = max(event["at"] for event in events)
    for user in made.users:
        moment = now
        for _ in range(1_500):
            due = made.due(moment, THRESHOLDS, user=user)
            if due == NEVER:
                break
            moment = due
        assert due == NEVER
        values = made.values(moment, user)
        assert (values["events_7d"], values["views_90d"], values["spend_30d"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("feature", "leaves"),
    [
        ("{count: purchase, window: 24h}", 24 * HOUR),
        ("{sum: purchase.value, window: 7d}", 7 * DAY),
        ("{max: purchase.value, window: 2d}", 2 * DAY),
        ("{count: purchase, window: 90d}", 90 * DAY),
        ("{active_days: any, window: 3d}", 3 * DAY),
        ("{distinct: purchase.transaction_id, window: 5d}", 5 * DAY),
        ("{count: purchase, window: all}", NEVER - START),
        ("{hours_since: purchase}", NEVER - START),
    ],
)
def test_a_pane_leaves_its_window(feature: str, leaves: int) -> None:
    made = Shoppers(f"f: {feature}")
    made.fold([{**PURCHASE, "transaction_id": "t"}])
    assert made.due(START + 5) == START + leaves


def test_the_shortest_window_that_still_holds_the_pane_comes_first() -> None:
    made = Shoppers("a: {count: purchase, window: 2d}\nb: {count: purchase, window: 9d}")
    made.fold([PURCHASE])
    assert made.due(START) == START + 2 * DAY
    assert made.due(START + 2 * DAY) == START + 9 * DAY
    assert made.due(START + 9 * DAY) == NEVER


def test_a_threshold_is_passed_at_due_and_not_before() -> None:
    made = Shoppers("since: {hours_since: add_to_cart}")
    made.fold([CART])
    due = made.due(START + 1, {"since": (1.0,)})
    assert made.values(due - 1)["since"] < 1.0
    assert made.values(due)["since"] == 1.0
    # From here on it is above.
    assert made.due(due, {"since": (1.0,)}) == due + 1
    assert made.due(due + 1, {"since": (1.0,)}) == NEVER


def test_an_opaque_feature_is_due_at_each_full_hour() -> None:
    made = Shoppers("since: {hours_since: add_to_cart}\nother: {hours_since: search}")
    made.fold([CART])
    assert made.due(START + 5, {}, opaque={"since"}) == START + HOUR
    assert made.due(START + 5, {}, opaque={"other"}) == NEVER


def test_a_ratio_over_time_is_due_at_each_full_hour() -> None:
    made = Shoppers(
        "n: {count: any, window: all}\ndays: {tenure: days}\na_day: {ratio: [n, days]}\n"
        "half: {ratio: [a_day, n]}"
    )
    made.fold([CART])
    assert made.features.passing == {"days", "a_day", "half"}
    assert made.due(START + 5, {"half": (3.0,)}) == START + HOUR
    assert made.due(START + 5, {"n": (3.0,)}) == NEVER


@given(threshold=st.floats(0, 1e6), unit=st.sampled_from([HOUR, DAY]))
def test_crossings_are_exact(threshold: float, unit: int) -> None:
    found = crossings(threshold, unit)
    for moment in found:
        before, after = (moment - 1) / unit, moment / unit
        assert (before < threshold) != (after < threshold) or (before <= threshold < after)
    assert found[-1] / unit > threshold


def test_negative_and_endless_thresholds_are_never_passed() -> None:
    assert crossings(-1.0, HOUR) == ()
    assert crossings(float("inf"), HOUR) == ()
    assert crossings(float("nan"), HOUR) == ()
