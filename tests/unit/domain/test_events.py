"""Structs and the topic of an event."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.schemas import schema

from stream_app.domain.batch import (
    CLICK_TYPES,
    CLICKS,
    EVENT_TYPES,
    PURCHASE_TYPES,
    PURCHASES,
    TOPICS,
)
from stream_app.domain.events import Click, ClickType, Item, Purchase, PurchaseType, topic_of


def test_types_are_the_same_everywhere() -> None:
    assert get_args(ClickType) == CLICK_TYPES == tuple(types_of("clicks"))
    assert get_args(PurchaseType) == PURCHASE_TYPES == tuple(types_of("purchases"))


def types_of(topic: str) -> list[str]:
    found: list[str] = schema(topic)["properties"]["type"]["enum"]
    return found


@pytest.mark.parametrize(("topic", "struct"), [("clicks", Click), ("purchases", Purchase)])
def test_struct_and_schema_have_the_same_fields(topic: str, struct: type) -> None:
    assert set(struct.__struct_fields__) == set(schema(topic)["properties"])
    assert set(Item.__struct_fields__) == set(schema("purchases")["$defs"]["item"]["properties"])


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_type_alone_says_the_topic(name: str) -> None:
    value = f'{{"value": "?", "type": "{name}", "x": [1]}}'.encode()
    assert TOPICS[topic_of(value)] == ("purchases" if name in PURCHASE_TYPES else "clicks")


def test_the_last_of_two_types_counts() -> None:
    assert topic_of(b'{"type": "login", "type": "refund"}') == PURCHASES


@given(st.binary(max_size=50))
def test_whatever_cannot_be_read_is_a_click(value: bytes) -> None:
    assert topic_of(value) == CLICKS


def test_depth_does_not_raise() -> None:
    assert topic_of(b'{"x":' + b"[" * 100_000) == CLICKS
