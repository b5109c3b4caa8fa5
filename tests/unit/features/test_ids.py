"""Duplicates: exactly the last 32 ids of a user and topic are known."""

from __future__ import annotations

from collections import deque
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.shoppers import Shoppers

COUNT = "f: {count: any, window: all}"


def event(name: str, user: str = "u", kind: str = "search") -> dict[str, object]:
    return {"id": name, "type": kind, "user": user, "at": 1_700_000_000_000}


@pytest.mark.parametrize(("between", "dropped"), [(0, True), (31, True), (32, False), (40, False)])
@pytest.mark.parametrize("batches", [True, False])
def test_an_id_is_remembered_for_32_others(between: int, dropped: bool, batches: bool) -> None:
    made = Shoppers(COUNT)
    events = [event("again"), *(event(f"{i}") for i in range(between)), event("again")]
    found = [made.fold([one])[0] for one in events] if batches else made.fold(events)
    assert found == [False] * (between + 1) + [dropped]


def test_a_dropped_event_is_not_remembered_again() -> None:
    made = Shoppers(COUNT)
    made.fold([event("a"), *(event(f"{i}") for i in range(31))])
    assert made.fold([event("a"), event("new"), event("a")]) == [True, False, False]


def test_users_and_topics_are_apart() -> None:
    made = Shoppers(COUNT)
    assert made.fold([event("a"), event("a", "v"), event("a", "u", "purchase")]) == [False] * 3
    assert made.fold([event("a", "v"), event("a", "u", "purchase")]) == [True, True]


def test_an_empty_place_is_no_id() -> None:
    # CRC-32 of nothing is 0, as is a place that was never written.
    assert crc32(b"") == 0
    made = Shoppers(COUNT)
    assert made.fold([event("")]) == [False]
    assert made.fold([event("x"), event("")]) == [False, True]


@given(st.lists(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("uvw")), max_size=90)))
def test_same_as_one_by_one(batches: list[list[tuple[int, str]]]) -> None:
    made = Shoppers(COUNT)
    known: dict[str, deque[int]] = {user: deque(maxlen=32) for user in "uvw"}
    for batch in batches:
        found = made.fold([event(f"{number}", user) for number, user in batch])
        for (number, user), dropped in zip(batch, found, strict=True):
            assert dropped == (number in known[user])
            if not dropped:
                known[user].append(number)
