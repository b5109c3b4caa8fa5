"""Profiles under one catalogue and the next."""

from __future__ import annotations

import numpy as np
from support.clicks import CATALOGUE, START, click, purchase
from support.partition import program, records

from stream_app.engine import Profiles, step
from stream_app.engine.profiles import NEVER

MORE = CATALOGUE.replace("features:\n", "features:\n  active: {active_days: any, window: 7d}\n")
LESS = CATALOGUE.replace("  price_7d: {mean: view_item.price, window: 7d}\n", "")


def some(users: int = 3) -> Profiles:
    profiles = Profiles(program())
    clicks = records(
        [click(f"u{n}", n, type="view_item", price=5, currency="USD") for n in range(users)]
    )
    step(profiles, [clicks, records([purchase("u0", 1)])])
    return profiles


def test_new_rows_are_blank_and_never_due():
    profiles = Profiles(program())
    assert profiles.add(["ann", "bob"]).tolist() == [0, 1]
    assert profiles.users == ["ann", "bob"]
    assert profiles.due.tolist() == [NEVER, NEVER]
    blank = profiles.program.layout.blank()
    assert profiles.gather(np.array([1])).tobytes() == blank.tobytes()


def test_growth_keeps_rows_and_what_is_due():
    profiles = some()
    before, due = profiles.read("u0"), profiles.due.tolist()
    profiles.add([f"more{n}" for n in range(10_000)])
    assert profiles.read("u0") == before
    assert profiles.due[:3].tolist() == due
    assert (profiles.due[3:] == NEVER).all()


def test_due_slots_are_those_whose_time_has_come():
    profiles = some()
    moment = int(profiles.due.min())
    assert profiles.due_slots(moment - 1, 10).tolist() == []
    assert len(profiles.due_slots(moment, 10)) > 0
    assert len(profiles.due_slots(NEVER - 1, 2)) == 2


def test_another_layout_carries_over_what_both_know():
    old = some()
    before = {user: old.read(user) for user in old.users}
    more = old.under(program(MORE))
    assert more.due.tolist() == [0, 0, 0]
    assert {u: more.read(u) for u in more.users} == {
        u: {"active": 0} | f for u, f in before.items()
    }
    assert more.time == START
    less = more.under(program(LESS))
    for user, features in before.items():
        assert less.read(user) == {n: v for n, v in features.items() if n != "price_7d"}


def test_tags_outlive_a_change_of_layout():
    more = some().under(program(MORE))
    done = step(more, [[], []])
    assert done.due == 3
    assert done.outputs.changes == []


def test_read_all_is_every_user():
    profiles = some()
    assert dict(profiles.read_all(START)) == {user: profiles.read(user) for user in profiles.users}
    assert profiles.read("u0", START + 90 * 86_400_000)["spend_30d"] == 0
