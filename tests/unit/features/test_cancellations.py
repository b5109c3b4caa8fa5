"""Refunds that pay a purchase back in full within 24 hours, in the order of their log."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.reference_cancellations import cancelling
from support.reference_events import Event, Shop
from support.shoppers import Shoppers

from stream_app.features import migrate

SECOND = 1_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
#: Midnight UTC.
START = 19_675 * DAY
CANCELLATIONS = "f: {cancellations: purchases, window: all}"
#: (type, transaction, ms after START, minor units)
Step = tuple[str, str | None, int, int]


def buy(name: str | None, at: int = 0, value: int = 1_000) -> Step:
    return "purchase", name, at, value


def back(name: str | None, at: int = HOUR, value: int = 1_000) -> Step:
    return "refund", name, at, value


def events(steps: list[Step], user: str = "u", first: int = 0) -> list[dict[str, Any]]:
    return [
        {"id": f"{user}{i}", "type": kind, "user": user, "at": START + at, "value": value}
        | ({"transaction_id": name} if name else {})
        for i, (kind, name, at, value) in enumerate(steps, first)
    ]


CASES: dict[str, tuple[list[Step], int]] = {
    "full": ([buy("a"), back("a")], 1),
    "more than was paid": ([buy("a"), back("a", value=1_001)], 1),
    "partial": ([buy("a"), back("a", value=999)], 0),
    "partial ones that add up": ([buy("a"), back("a", value=500), back("a", value=500)], 0),
    "full after a partial one": ([buy("a"), back("a", value=1), back("a")], 1),
    "in the same second": ([buy("a"), back("a", at=0)], 1),
    "at 24 hours": ([buy("a"), back("a", at=DAY)], 1),
    "a second later": ([buy("a"), back("a", at=DAY + SECOND)], 0),
    "before the purchase": ([buy("a", at=HOUR), back("a", at=HOUR - SECOND)], 0),
    "read before the purchase": ([back("a"), buy("a")], 0),
    "of another order": ([buy("a"), back("b")], 0),
    "twice": ([buy("a"), back("a"), back("a", at=2 * HOUR)], 1),
    "bought again": ([buy("a"), back("a"), buy("a", at=HOUR), back("a", at=2 * HOUR)], 2),
    "two of one number": ([buy("a"), buy("a"), back("a"), back("a"), back("a")], 2),
    "the one that it pays": ([buy("a"), buy("a", value=2_000), back("a")], 1),
    "the latest of two": (
        [buy("a"), buy("a", at=20 * HOUR), back("a", at=21 * HOUR), back("a", at=30 * HOUR)],
        1,
    ),
    "without a number": ([buy(None), back(None)], 0),
    "the empty number": ([buy(""), back("")], 0),
    "the fourth before it": ([buy(name) for name in "abcd"] + [back("a")], 1),
    "the fifth before it": ([buy(name) for name in "abcde"] + [back("a")], 0),
    "five, one without a number": ([buy(n) for n in ("a", "b", None, "c", "d")] + [back("a")], 1),
    "room made by another": ([*map(buy, "abcd"), back("d"), buy("e"), back("a")], 2),
    "of nothing": ([buy("a", value=0), back("a", value=0)], 1),
    "amounts of more than four bytes": (
        [buy("a", value=2**33), back("a", value=2**32 - 2), back("a", value=2**33)],
        1,
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [1, 2, 1_000])
@pytest.mark.parametrize("users", [1, 20])
def test_cancellations(name: str, size: int, users: int) -> None:
    """Whether events come one by one or together, alone or with those of others."""
    steps, expected = CASES[name]
    made = Shoppers(CANCELLATIONS)
    lives = [events(steps, f"user {user}") for user in range(users)]
    happened = [event for moment in zip(*lives, strict=True) for event in moment]
    for start in range(0, len(happened), size * users):
        made.fold(happened[start : start + size * users])
    assert {made.values(START, user)["f"] for user in made.users} == {expected}


def test_a_cancellation_counts_in_the_pane_of_the_refund() -> None:
    made = Shoppers("f: {cancellations: purchases, window: 2d}\ng: {count: refund, window: 2d}")
    made.fold(events([buy("a", at=20 * HOUR), back("a", at=30 * HOUR)]))
    counts = [made.values(START + day * DAY)["f"] for day in range(1, 4)]
    assert counts == [1, 1, 0]
    assert made.due(START + 30 * HOUR) == START + 3 * DAY


def test_what_is_too_old_for_the_ring_does_not_count_but_is_remembered() -> None:
    made = Shoppers("f: {cancellations: purchases, window: 2d}\ng: {tenure: days}")
    made.fold(events([buy("late", at=9 * DAY), buy("a"), back("a"), back("late", at=9 * DAY)]))
    assert made.values(START + 9 * DAY)["f"] == 1
    assert made.values(START + 9 * DAY)["g"] == 9


def test_a_duplicate_neither_buys_nor_pays_back() -> None:
    made = Shoppers(CANCELLATIONS)
    bought, paid = events([buy("a"), back("a")])
    made.fold([bought, bought, paid, paid])
    assert made.fold([bought, paid]) == [True, True]
    assert made.values(START)["f"] == 1
    assert not made.rows["bought:purchases.transaction_id"].any()


def test_users_do_not_mix() -> None:
    made = Shoppers(CANCELLATIONS)
    mine, yours = events([buy("a"), back("b")]), events([buy("b"), back("a")], user="v")
    made.fold([mine[0], yours[0], mine[1], yours[1]])
    assert (made.values(START, "u")["f"], made.values(START, "v")["f"]) == (0, 0)


def test_purchases_alone_keep_the_newest_first() -> None:
    """Enough users at once to be taken together, with as many purchases as their number."""
    made = Shoppers(CANCELLATIONS)
    for part in range(3):
        made.fold(
            [
                event
                for user in range(8)
                for event in events(
                    [buy(f"{part}-{n}", at=n * SECOND, value=100 * part + n) for n in range(user)],
                    f"user {user}",
                    first=100 * part,
                )
            ]
        )
    for user, number in made.users.items():
        count = int(user.removeprefix("user "))
        values = [100 * part + n for part in range(3) for n in range(count)]
        kept = made.rows[number]["bought:purchases.transaction_id"]
        assert kept[:, 2].tolist() == (values[:-5:-1] + [0] * 4)[:4]
        assert np.count_nonzero(kept[:, 0]) == min(len(values), 4)


IDS = st.sampled_from(["a", "b", "c", "d", None])
TIMES = st.one_of(st.integers(0, 3 * DAY), st.integers(0, 50).map(lambda hour: hour * HOUR))
STEPS = st.tuples(
    st.sampled_from(["purchase", "purchase", "refund"]), IDS, TIMES, st.sampled_from([5, 5, 6])
)
LIVES = st.lists(st.tuples(st.sampled_from("uvw"), STEPS), max_size=60)


@settings(max_examples=60)
@given(lives=LIVES, cuts=st.lists(st.integers(0, 60), max_size=6))
def test_any_split_gives_the_same_rows_as_the_reference_counts(
    lives: list[tuple[str, Step]], cuts: list[int]
) -> None:
    happened = [events([step], user, i)[0] for i, (user, step) in enumerate(lives)]
    whole, split = Shoppers(CANCELLATIONS), Shoppers(CANCELLATIONS)
    everyone = [event | {"type": "login", "id": f"login {event['id']}"} for event in happened]
    for made, edges in ((whole, [0, 60]), (split, [0, *sorted(cuts), 60])):
        made.fold(everyone)
        for a, b in pairwise(edges):
            made.fold(happened[a:b])
    np.testing.assert_array_equal(whole.rows, split.rows)
    for user in whole.users:
        own = [_raw(event) for event in happened if event["user"] == user]
        assert split.values(START, user)["f"] == len(cancelling(own))


def _raw(event: dict[str, Any]) -> Event:
    fields = {"occurred_at": event["at"], "transaction_id": event.get("transaction_id")}
    return Event(fields | {"type": event["type"], "value": event["value"]}, Shop.of({}))


def test_rows_of_an_older_catalogue_start_blank_and_keep_what_they_remember() -> None:
    old = Shoppers("g: {count: purchase, window: 7d}")
    old.fold(events([buy("a"), back("a", value=1)]))
    new = _moved(old, CANCELLATIONS)
    assert new.values(START)["f"] == 0
    new.fold(events([back("a"), buy("b"), buy("c"), back("b")], first=10))
    assert new.values(START)["f"] == 1
    wider = "f: {cancellations: purchases, window: 42d}\ng: {cancellations: purchases, window: all}"
    newest = _moved(new, wider)
    newest.fold(events([back("c")], first=20))
    assert newest.values(START + HOUR) == {"f": 1, "g": 2}
    longer = _moved(newest, "f: {cancellations: purchases, window: 90d}")
    assert longer.values(START + HOUR)["f"] == 1


def _moved(old: Shoppers, features: str) -> Shoppers:
    new = Shoppers(features)
    new.rows = migrate(old.rows, old.layout, new.layout)
    new.users, new.strings = old.users, old.strings
    return new
