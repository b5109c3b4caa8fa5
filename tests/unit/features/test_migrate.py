"""Rows of an older catalogue under a new one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.catalogue import EVENTS, EVERY_KIND, START
from support.shoppers import Shoppers

from stream_app.features import migrate

DAY = 86_400_000


def moved(old: Shoppers, features: str) -> Shoppers:
    new = Shoppers(features)
    new.rows = migrate(old.rows, old.layout, new.layout)
    new.users, new.strings = old.users, old.strings
    return new


def seen(days: list[int]) -> list[dict[str, Any]]:
    return [
        {"id": f"{day}", "type": "purchase", "user": "u", "at": START + day * DAY, "value": 100}
        for day in days
    ]


@pytest.mark.parametrize(
    "feature", ["count: purchase", "sum: purchase.value", "max: purchase.value"]
)
@pytest.mark.parametrize("length", [1, 3, 6, 9, 31])
def test_a_ring_of_another_length_keeps_the_panes_that_fit(feature: str, length: int) -> None:
    old = Shoppers(f"f: {{{feature}, window: 6d}}")
    old.fold(seen([0, 1, 4, 9, 10, 11]))
    new = moved(old, f"f: {{{feature}, window: {length}d}}\ng: {{{feature}, window: 1d}}")
    direct = Shoppers(f"f: {{{feature}, window: {min(length, 6)}d}}")
    direct.fold(seen([0, 1, 4, 9, 10, 11]))
    for day in range(11, 20):
        now = START + day * DAY
        # What the old ring had forgotten stays unknown; its six panes are all there is.
        if length <= 6 or day == 11:
            assert new.values(now)["f"] == direct.values(now)["f"]
    new.fold(seen([12]))
    direct.fold(seen([12]))
    if length <= 6:
        assert new.values(START + 12 * DAY)["f"] == direct.values(START + 12 * DAY)["f"]


def test_new_features_start_blank_and_removed_ones_are_dropped() -> None:
    old = Shoppers("orders: {count: purchase, window: 7d}\ngone: {sum: purchase.value, window: 7d}")
    old.fold(seen([0]))
    new = moved(old, "orders: {count: purchase, window: 7d}\nhats: {count: search, window: 24h}")
    assert new.values(START) == {"orders": 1, "hats": 0}
    new.fold([{"id": "s", "type": "search", "user": "u", "at": START + DAY}])
    assert new.values(START + DAY) == {"orders": 1, "hats": 1}


def test_a_changed_condition_is_another_feature() -> None:
    old = Shoppers("f: {count: purchase, window: 7d, where: value > 1}")
    old.fold([{**seen([0])[0], "value": 500}])
    assert old.values(START)["f"] == 1
    assert moved(old, "f: {count: purchase, window: 7d, where: value > 2}").values(START)["f"] == 0


@settings(max_examples=20)
@given(events=EVENTS, more=st.lists(st.integers(0, 5), max_size=3))
def test_there_and_back_changes_nothing(events: list[dict[str, Any]], more: list[int]) -> None:
    old = Shoppers(EVERY_KIND)
    old.fold(events)
    wider = EVERY_KIND + "".join(f"x{i}: {{count: login, window: {i + 1}d}}\n" for i in set(more))
    assert moved(moved(old, wider), EVERY_KIND).rows.tobytes() == old.rows.tobytes()
