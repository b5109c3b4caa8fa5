"""Users are found under the numbers that they were given, however many there are."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.engine.cold.index import Index

USERS = st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=50)


@given(st.lists(USERS, max_size=5), st.lists(st.text(max_size=5)))
def test_an_index_is_a_dictionary(batches, others):
    index, plain = Index(), {}
    for batch in batches:
        more = [user for user in batch if user not in plain]
        numbers = index.add(more)
        plain.update(zip(more, numbers.tolist(), strict=True))
    asked = [*plain, *others]
    assert index.find(asked).tolist() == [plain.get(user, -1) for user in asked]
    assert list(plain.values()) == list(range(index.count))


def test_it_grows():
    index, users = Index(), [f"user-{n}" for n in range(20_000)]
    for first in range(0, len(users), 700):
        index.add(users[first : first + 700])
    assert (index.find(users) == np.arange(len(users))).all()
    assert (index.find([f"other-{n}" for n in range(1_000)]) == -1).all()


def test_what_is_loaded_a_part_at_a_time_is_entered_once():
    whole, index = Index(), Index()
    users = [f"user-{n}" for n in range(20_000)]
    whole.add(users)
    with patch.object(Index, "_rebuild", side_effect=AssertionError):
        index.reserve(len(users))
        for first in range(0, len(users), 700):
            part = slice(first, first + 700)
            index.load(whole.hashes[part], whole.checks[part])
    assert (index.find(users) == np.arange(len(users))).all()


def test_who_is_forgotten_is_found_no_more_and_may_come_again():
    index = Index()
    index.add(["ann", "bob", "cid"])
    index.forget(np.array([1]))
    assert index.find(["ann", "bob", "cid"]).tolist() == [0, -1, 2]
    assert index.add(["bob"]).tolist() == [3]
    assert index.find(["bob"]).tolist() == [3]
    again = Index()
    again.load(index.hashes, index.checks)
    assert again.find(["ann", "bob", "cid"]).tolist() == [0, 3, 2]


@given(st.lists(st.tuples(USERS, st.floats(0, 1)), max_size=8))
def test_numbers_given_again_lead_to_whom_they_are_now(rounds):
    index, plain, free = Index(), {}, []
    for users, share in rounds:
        more = [user for user in users if user not in plain]
        again, free = free[: len(more)], free[len(more) :]
        first = index.count
        numbers = [*again, *range(first, first + len(more) - len(again))]
        index.add(more, np.array(numbers, np.intp))
        plain.update(zip(more, numbers, strict=True))
        gone = list(plain)[: int(share * len(plain))]
        if gone:
            index.forget(np.array([plain[user] for user in gone]))
            free = sorted([*free, *(plain.pop(user) for user in gone)])
        asked = [*plain, *gone, *users]
        assert index.find(asked).tolist() == [plain.get(user, -1) for user in asked]


def test_visitors_who_come_and_go_do_not_make_it_grow():
    index = Index()
    numbers = index.add([f"user-0-{n}" for n in range(1_000)])
    size = len(index._table)
    for round_ in range(1, 60):
        index.forget(numbers)
        users = [f"user-{round_}-{n}" for n in range(1_000)]
        assert index.add(users, numbers).tolist() == numbers.tolist()
        assert index.find(users).tolist() == numbers.tolist()
    assert len(index._table) <= 2 * size
    assert index.count == 1_000
