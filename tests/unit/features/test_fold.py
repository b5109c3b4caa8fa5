"""Laws of the fold, for features of every kind."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.catalogue import CLICKS, EVENTS, EVERY_KIND, START, TEXTS
from support.shoppers import Shoppers

from stream_app.domain.batch import EVENT_TYPES
from stream_app.domain.layout import Rows

DAY = 86_400_000


def shoppers() -> Shoppers:
    """Two users, and a dictionary whose codes do not depend on the order of events."""
    made = Shoppers(EVERY_KIND, timezone="Europe/Berlin")
    made.strings.codes([text for texts in TEXTS.values() for text in texts])
    made.fold([])
    for user in ("u", "v"):
        made.users[user] = len(made.users)
    made.rows = made.layout.blank(2)
    return made


def assert_equal(left: Rows, right: Rows, ignored: tuple[str, ...] = ()) -> None:
    """The same rows, decayed weights up to rounding."""
    for name in left.dtype.names or ():
        if name in ignored:
            continue
        if name.endswith(":weight"):
            np.testing.assert_allclose(left[name], right[name], rtol=1e-9)
        else:
            np.testing.assert_array_equal(left[name], right[name], err_msg=name)


def assert_finite(rows: Rows) -> None:
    for name in rows.dtype.names or ():
        assert np.isfinite(rows[name]).all(), name


@settings(max_examples=40)
@given(events=EVENTS, cuts=st.lists(st.integers(0, 40), max_size=5))
def test_any_split_into_batches_gives_the_same_rows(
    events: list[dict[str, Any]], cuts: list[int]
) -> None:
    whole, split = shoppers(), shoppers()
    dropped = whole.fold(events)
    edges = [0, *sorted(cuts), len(events)]
    pieces = [split.fold(events[a:b]) for a, b in pairwise(edges)]
    assert sum(dropped) == sum(sum(piece) for piece in pieces)
    # A batch has clicks first, so which event makes the row depends on the split.
    assert_equal(whole.rows, split.rows, ignored=("born",))
    assert_finite(split.rows)


@settings(max_examples=20)
@given(events=EVENTS)
def test_one_by_one_is_the_same_as_all_at_once(events: list[dict[str, Any]]) -> None:
    whole, single = shoppers(), shoppers()
    whole.fold(events)
    for event in events:
        single.fold([event])
    assert_equal(whole.rows, single.rows, ignored=("born",))


@settings(max_examples=20)
@given(events=EVENTS)
def test_clicks_and_purchases_may_come_in_any_order(events: list[dict[str, Any]]) -> None:
    clicks_first, purchases_first = shoppers(), shoppers()
    clicks = [event for event in events if event["type"] in CLICKS]
    purchases = [event for event in events if event["type"] not in CLICKS]
    for made, parts in (
        (clicks_first, (clicks, purchases)),
        (purchases_first, (purchases, clicks)),
    ):
        for part in parts:
            made.fold(part)
    assert_equal(clicks_first.rows, purchases_first.rows, ignored=("born",))


@settings(max_examples=15)
@given(events=EVENTS)
def test_events_that_came_before_change_nothing(events: list[dict[str, Any]]) -> None:
    made = shoppers()
    made.fold(events[:30])
    # The last of each user and topic are remembered; there are fewer than 32.
    before = made.rows.copy()
    assert all(made.fold(events[:30]))
    assert before.tobytes() == made.rows.tobytes()


@settings(max_examples=20)
@given(events=EVENTS, after=st.integers(0, 120 * DAY))
def test_values_are_numbers_or_missing(events: list[dict[str, Any]], after: int) -> None:
    made = shoppers()
    made.fold(events)
    for user in ("u", "v"):
        for name, value in made.values(START + after, user).items():
            if isinstance(value, float):
                assert np.isfinite(value), name
            if isinstance(value, list) and value:
                assert abs(sum(share for _, share in value) - 1) < 1e-9


def test_every_event_type_is_folded() -> None:
    made = shoppers()
    made.fold([{"id": t, "type": t, "user": "u", "at": START} for t in EVENT_TYPES])
    values = made.values(START)
    assert values["events_7d"] == len(EVENT_TYPES)
    assert values["clicks_all"] == len(EVENT_TYPES) - 2


def test_an_empty_batch_changes_nothing() -> None:
    made = shoppers()
    before = made.rows.copy()
    assert made.fold([]) == []
    assert before.tobytes() == made.rows.tobytes()


def test_a_row_is_born_at_its_first_event() -> None:
    made = shoppers()
    made.fold([{"id": "a", "type": "search", "user": "u", "at": START + 5}])
    made.fold([{"id": "b", "type": "search", "user": "u", "at": START}])
    row = made.rows[0]
    assert (row["born"], row["first_seen"], row["last_seen"]) == (START + 5, START, START + 5)
