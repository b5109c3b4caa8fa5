"""The retail catalogue: its size, its promises, and the tags that time and refunds decide."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from support.streams import CLICKS, DAY, HOUR, START, Record, encode, moment

from stream_app.domain.batch import CLICK_TYPES
from stream_app.engine import Profiles, load_catalogue, step
from stream_app.engine.catalogue import ROW_BUDGET, row_bytes
from stream_app.tagging import RULE_CLASSES

SHOP = Path(__file__).parents[2] / "data" / "shop.ndjson.gz"
CATALOGUE = load_catalogue("retail")
PROGRAM = CATALOGUE.compile()
DECLARED = yaml.safe_load(Path(CATALOGUE.file).read_text())
TAGS: dict[str, dict[str, Any]] = DECLARED["tags"]


class Shopper:
    """One user whose life is played event by event."""

    def __init__(self) -> None:
        self.profiles = Profiles(PROGRAM)
        self.offsets = [0, 0]

    def does(self, kind: str, at: int, **fields: Any) -> None:
        """An event at `at` ms after START; due tags are decided with it."""
        topic = int(kind not in CLICK_TYPES)
        event = {"type": kind, "user_id": "ann", "occurred_at": START + at, **fields}
        event["event_id"] = f"{topic}-{self.offsets[topic]}"
        records: list[list[Record]] = [[], []]
        records[topic] = [Record(encode(event), START + at, self.offsets[topic])]
        self.offsets[topic] += 1
        assert not step(self.profiles, records).rejected

    def buys(self, at: int, value: float = 30.0, **fields: Any) -> None:
        self.does("purchase", at, value=value, currency="USD", **fields)

    def tags(self, at: int) -> dict[str, Any]:
        """Name to value at `at` ms after START."""
        step(self.profiles, [[], []], floor=START + at)
        rows = self.profiles.gather(np.array([0]))
        state = PROGRAM.tags.state(rows, 0, self.profiles.dictionary.values)
        return {name: held["value"] for name, held in state.items()}


def test_it_has_what_a_shop_needs() -> None:
    assert len(DECLARED["features"]) >= 40
    assert len(TAGS) >= 30
    assert {tag["class"] for tag in TAGS.values()} == set(RULE_CLASSES)
    assert {key for tag in TAGS.values() for key in tag} >= {
        *("when", "until", "values", "list", "hold", "expires")
    }
    assert row_bytes(CATALOGUE) <= ROW_BUDGET


@pytest.mark.parametrize("name", TAGS)
def test_descriptions_are_sentences(name: str) -> None:
    text = TAGS[name]["description"].strip()
    assert text[0].isupper()
    assert text.endswith(".")
    assert "_" not in text


@pytest.mark.parametrize("kind", CLICKS)
def test_a_first_click_gives_no_tag(kind: str) -> None:
    shopper = Shopper()
    shopper.does(kind, 0, device="mobile")
    assert not shopper.tags(0).keys() - {"abroad"}


def test_cart_abandoner() -> None:
    shopper = Shopper()
    shopper.does("add_to_cart", 0)
    assert "cart_abandoner" not in shopper.tags(HOUR - 1)
    assert "cart_abandoner" in shopper.tags(HOUR)
    assert "cart_abandoner" not in shopper.tags(24 * HOUR)
    shopper.does("add_to_cart", 30 * HOUR)
    shopper.buys(31 * HOUR)
    assert "cart_abandoner" not in shopper.tags(32 * HOUR)
    shopper.does("add_to_cart", 53 * HOUR)
    assert "cart_abandoner" not in shopper.tags(55 * HOUR - 1)
    assert "cart_abandoner" in shopper.tags(55 * HOUR)


def test_left_checkout_ends_after_a_day() -> None:
    shopper = Shopper()
    shopper.does("begin_checkout", 0)
    assert "left_checkout" in shopper.tags(HOUR)
    assert "left_checkout" in shopper.tags(25 * HOUR - 1)
    assert "left_checkout" not in shopper.tags(25 * HOUR)
    shopper.does("begin_checkout", 26 * HOUR)
    assert "left_checkout" in shopper.tags(27 * HOUR)


def test_brand_new_then_at_risk_then_lost_then_returned() -> None:
    shopper = Shopper()
    shopper.buys(0)
    assert "brand_new_buyer" in shopper.tags(14 * DAY - 1)
    assert "brand_new_buyer" not in shopper.tags(14 * DAY)
    for day in range(14, 19):
        shopper.buys(day * DAY)
    assert shopper.tags(18 * DAY).keys() >= {"active", "new_customer"}
    assert "at_risk" in shopper.tags((18 + 21) * DAY)
    late = shopper.tags((18 + 56) * DAY)
    assert "lost" in late
    assert not {"at_risk", "active"} & late.keys()
    shopper.buys(80 * DAY)
    back = shopper.tags(80 * DAY)
    assert "returned" in back
    assert "lost" not in back


def test_refunds() -> None:
    shopper = Shopper()
    for day in range(3):
        shopper.buys(day * DAY)
        shopper.does("refund", day * DAY + HOUR, value=30, currency="USD")
    assert "frequent_returner" in shopper.tags(2 * DAY + HOUR)
    for n in range(50):
        shopper.buys(5 * DAY + n, value=100)
    assert "frequent_returner" not in shopper.tags(6 * DAY)


def test_cancels_orders() -> None:
    shopper = Shopper()

    def refunded(number: int, at: int, value: float = 30.0) -> bool:
        name = {"transaction_id": f"order {number}"}
        shopper.buys(number * DAY, **name)
        shopper.does("refund", number * DAY + at, value=value, currency="USD", **name)
        return "cancels_orders" in shopper.tags(number * DAY + at)

    assert not refunded(0, HOUR, value=29.99)
    assert not refunded(2, 25 * HOUR)
    assert refunded(4, 24 * HOUR)
    for number in range(6, 13):
        shopper.buys(number * DAY)
    assert "cancels_orders" in shopper.tags(12 * DAY)
    shopper.buys(13 * DAY)
    assert "cancels_orders" not in shopper.tags(13 * DAY)


def test_interest_and_category_fan_carry_categories() -> None:
    shopper = Shopper()
    for n, category in enumerate(["shoes", "shoes", "shoes", "hats"]):
        shopper.does("view_item", n * 1000, item_category=category)
    tags = shopper.tags(DAY)
    assert tags["interest"] == ["shoes", "hats"]
    assert tags["category_fan"] == ["shoes"]


def test_spend_level_steps_up() -> None:
    shopper = Shopper()
    levels = []
    for n in range(3):
        shopper.buys(n * HOUR, value=[50, 100, 300][n])
        levels.append(shopper.tags(n * HOUR)["spend_level"])
    assert levels == ["low", "mid", "high"]
    assert "spend_level" not in shopper.tags(50 * DAY)


def test_a_regular_becomes_loyal_and_one_of_the_best() -> None:
    shopper = Shopper()
    for n in range(50):
        shopper.buys(n * 2 * DAY, value=35)
    assert shopper.tags(98 * DAY).keys() >= {"loyal", "best_customer", "keeps_everything"}
    assert not {"loyal", "best_customer"} & shopper.tags(98 * DAY + 30 * DAY).keys()


def test_tags_appear_on_the_shops_data() -> None:
    """Six weeks of 40 households give every tag but those that need longer, or refunds."""
    profiles = Profiles(PROGRAM)
    records: list[list[Record]] = [[], []]
    seen: set[str] = set()
    with gzip.open(SHOP) as lines:
        for n, line in enumerate(lines):
            event = json.loads(line)
            topic = int(event["type"] not in CLICK_TYPES)
            records[topic].append(Record(line, moment(event), n))
            if n % 500 == 499:
                seen |= {change.tag for change in step(profiles, records).outputs.changes}
                records = [[], []]
    longer = {"loyal", "best_customer", "keeps_everything", "at_risk", "lost", "returned"}
    assert TAGS.keys() - seen <= longer | {"cancels_orders", "frequent_returner"}
