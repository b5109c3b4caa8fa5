"""Who is idle for too long is forgotten: told, deleted, and begun anew when he comes back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from support.checker import Consumer
from support.clicks import CATALOGUE, DAY, HOUR, START, Rec, click, purchase
from support.partition import program, records

from stream_app.domain.changes import decode_change, decode_state
from stream_app.domain.errors import DeclarationError
from stream_app.engine import Profiles, Step, load_catalogue, step
from stream_app.engine.changelog import Loader, Meta, encode_layout, encode_meta, encode_strings
from stream_app.engine.outputs import tag_states

KEPT = 30
TEXT = CATALOGUE.replace("clock: event", f"clock: event, idle_retention: {KEPT}d")
ALL = "features:\n  events_total: {count: any, window: all}\n"
TEN_DAYS = "features:\n  clicks_10d: {count: clicks, window: 10d}\n"
LEARNING = """
learning:
  max_gap: 400d
  predictions:
    likely_to_click:
      description: Will click within two days.
      features: [clicks_24h]
      outcome: clicks_10d > 0
      horizon: 10d
      rate: 1
      bands: {mid: 0.2, high: 0.5, top: 0.8, margin: 0.05}
      holdout: 0.5
"""


class Life:
    """A partition whose every round is committed to `log`, and told to a consumer."""

    def __init__(self, text: str = TEXT) -> None:
        self.program = program(text)
        self.profiles = Profiles(self.program)
        self.log: list[tuple[bytes, Any]] = [encode_layout(self.program.layout)]
        self.changes: list[Any] = []
        self.states: dict[bytes, Any] = {}
        self.consumer = Consumer()
        self.number = 0

    def round(self, now: int, *users: str, bought: Sequence[str] = ()) -> Step:
        clicks = [click(u, self.number + i, at=now) for i, u in enumerate(users)]
        orders = [purchase(u, self.number + i, at=now) for i, u in enumerate(bought)]
        self.number += len(users) + len(bought)
        return self.fold([records(clicks, at=now), records(orders, at=now)], now)

    def fold(self, taken: Sequence[Sequence[Any]], floor: int, due_limit: int = 5_000) -> Step:
        done = step(self.profiles, taken, floor=floor, due_limit=due_limit)
        self.commit(done)
        return done

    def commit(self, done: Step) -> None:
        meta = Meta(
            {}, self.profiles.time, "", len(self.profiles.dictionary),
            self.program.catalogue.revision, users=len(self.profiles),
        )  # fmt: skip
        rows = [(k, None if v is None else bytes(v)) for k, v in done.outputs.rows()]
        self.log += [encode_meta(meta), *encode_strings(done.strings), *rows]
        told = [Rec(value, key=key) for key, value in done.outputs.encoded_changes()]
        self.changes += [decode_change(record.value) for record in told]
        self.consumer.follow(told)
        for key, value in done.outputs.states:
            if value is None:
                del self.states[key]
            else:
                self.states[key] = value

    def restored(self, at_once: int = 3) -> Profiles:
        loader = Loader(self.program, 0, 1)
        for first in range(0, len(self.log), at_once):
            loader.add(self.log[first : first + at_once])
        return loader.finish()


def known(profiles: Profiles) -> dict[str, bytes]:
    """Each user's row."""
    users = list(profiles.known())
    return {user: profiles.gather(profiles.find([user])).tobytes() for user in users}


def test_who_is_idle_for_too_long_is_told_and_deleted():
    life = Life()
    life.round(START, "ann", "ann", "ann", "bob", bought=["bob"] * 6)
    assert set(life.states) == {b"ann", b"bob"}
    life.round(START + 20 * DAY, "bob")
    life.round(START + KEPT * DAY, "cid")
    assert "ann" in life.profiles
    done = life.fold([[], []], START + (KEPT + 1) * DAY)
    assert done.outputs.gone == ["ann"]
    assert [*done.outputs.rows()][-1] == (b"ann", None)
    assert life.log[-1] == (b"ann", None)
    assert b"ann" not in life.states
    assert b"bob" in life.states
    assert "ann" not in life.profiles
    assert len(life.profiles) == 2
    assert list(life.profiles.known()) == ["bob", "cid"]


def test_each_tag_goes_with_a_reason_and_the_next_version():
    text = TEXT.replace("when: clicks_24h >= 3}", "when: clicks_24h >= 3, until: clicks_24h < 0}")
    life = Life(text)
    life.round(START, "ann", "ann", "ann")
    life.fold([[], []], START + 3 * DAY)
    assert life.consumer.tags["ann"] == {"regular": True}
    life.fold([[], []], START + (KEPT + 1) * DAY + 5)
    last = life.changes[-1]
    assert (last.tag, last.action, last.value, last.previous) == ("regular", "removed", None, True)
    assert (last.version, last.cause, last.source.kind) == (4, None, "expiry")
    [because] = last.because
    assert (because.feature, because.op, because.threshold) == (
        "hours_since_event",
        ">=",
        KEPT * 24,
    )
    assert because.value == pytest.approx((KEPT + 1) * 24, abs=0.01)
    assert life.consumer.tags["ann"] == {}
    assert life.states == {}


def test_who_comes_back_begins_anew_and_gets_a_place_that_is_free():
    life = Life()
    life.round(START, "ann", "bob", "cid", bought=["ann"])
    life.round(START + 40 * DAY, "dan")
    assert len(life.profiles) == 1
    assert life.profiles.extent == 4
    life.round(START + 50 * DAY, "ann", "eve")
    assert life.profiles.extent == 4
    assert life.profiles.find(["ann", "eve", "dan"]).tolist() == [0, 1, 3]
    fresh = Life()
    fresh.round(START + 50 * DAY, "ann")
    assert life.profiles.read("ann") == fresh.profiles.read("ann")
    again = life.restored()
    assert known(again) == known(life.profiles)


def test_an_event_after_the_retention_ends_the_row_without_the_day_of_grace():
    life = Life()
    life.round(START, "ann", "ann", "ann")
    life.round(START + KEPT * DAY - 1, "bob")
    done = life.round(START + KEPT * DAY, "ann")
    assert life.profiles.read("ann")["clicks_24h"] == 1
    assert done.outputs.gone == []
    assert [c.version for c in life.changes if c.user_id == "ann"][-2:] != [1, 2]
    assert int(life.changes[-1].change_id.split(":")[1]) == START + KEPT * DAY
    early = Life()
    early.round(START, "ann")
    early.round(START + KEPT * DAY - 1, "ann")
    assert len({c.change_id.split(":")[1] for c in early.changes}) == 1


def test_an_event_that_is_later_than_the_retention_begins_no_earlier_chain():
    life = Life()
    life.round(START, "ann")
    life.round(START + 60 * DAY, "bob")
    late = [records([click("ann", 99, at=START - DAY)], at=START + 60 * DAY), []]
    life.fold(late, START + 60 * DAY)
    row = life.profiles.gather(life.profiles.find(["ann"]))
    assert row["born"][0] == START + (60 - KEPT) * DAY
    assert row["last_seen"][0] == START - DAY
    # A chain that ended before time went on would be followed by one that began when it did.
    life.fold([[], []], START + 61 * DAY - 1)
    assert "ann" in life.profiles
    life.fold([[], []], START + 61 * DAY)
    assert "ann" not in life.profiles
    life.fold(late, START + 61 * DAY)
    ids = [change.change_id for change in life.changes]
    assert sorted(set(ids)) == sorted(ids)


def test_a_number_is_given_again_with_the_hash_of_whom_it_is_now():
    life = Life()
    life.round(START, "ann", "bob")
    life.profiles.hashes()
    life.round(START + 40 * DAY, "cid")
    life.round(START + 41 * DAY, "dan", "eve", "fay")
    users = [life.profiles.users[slot] for slot in range(life.profiles.extent)]
    fresh = Profiles(life.program)
    fresh.add(users)
    assert life.profiles.hashes().tolist() == fresh.hashes().tolist()


def test_deciding_anew_leaves_free_places_alone():
    life = Life()
    life.round(START, "ann", "bob")
    life.round(START + 40 * DAY, "cid")
    life.profiles.decide_anew()
    assert life.profiles.due_slots(life.profiles.time, 10).tolist() == [2]
    other = program(TEXT.replace("clicks_24h >= 1", "clicks_24h >= 2"))
    assert life.profiles.under(other).due_slots(life.profiles.time, 10).tolist() == [2]
    more = program(TEXT.replace("features:\n", "features:\n  c_2d: {count: any, window: 2d}\n"))
    moved = life.profiles.under(more)
    assert moved.due_slots(moved.time, 10).tolist() == [2]
    assert moved.add(["gus"]).tolist() == [0]


def test_a_catalogue_that_begins_to_forget_forgets_at_once():
    life = Life(CATALOGUE)
    life.round(START, "ann")
    life.round(START + 50 * DAY, "bob")
    life.profiles = life.profiles.under(program(TEXT))
    done = life.fold([[], []], life.profiles.time)
    assert done.outputs.gone == ["ann"]


def test_a_flood_of_idle_users_goes_in_bounded_rounds():
    life = Life()
    life.round(START, *(f"u{n}" for n in range(20)))
    sizes = [len(life.fold([[], []], START + 50 * DAY, 6).outputs.gone) for _ in range(5)]
    assert sizes == [6, 6, 6, 2, 0]
    assert len(life.profiles) == 0


def test_silent_users_are_drawn_until_their_outcome_could_be_missing():
    life = Life(TEXT.replace("features:\n", TEN_DAYS) + LEARNING)
    life.round(START, "ann", "bob")
    drawn: dict[int, set[str]] = {}
    outcomes: dict[int, set[str]] = {}
    for day in range(1, 60):
        users = ["bob"] if day % 25 == 0 else []
        done = life.round(START + day * DAY, *users, *(["x"] if day % 5 == 0 else []))
        for key, value in done.training:
            text = value.decode()
            if '"example"' in text and key == b"ann" and "likely_to_click" in text:
                drawn.setdefault(day, set()).add(key.decode())
            if '"outcome"' in text and key == b"ann":
                outcomes.setdefault(day, set()).add(key.decode())
    assert drawn
    # Whoever was drawn has an outcome ten days later.
    assert {day + 10 for day in drawn} <= outcomes.keys()
    assert max(drawn) < KEPT - 10 + 1
    assert max(drawn) >= KEPT - 10 - 1


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "cid"]),
        st.sampled_from([0, HOUR, DAY, 12 * DAY, 29 * DAY, 30 * DAY, 31 * DAY, 70 * DAY]),
        st.booleans(),
    ),
    max_size=14,
)


class Come(NamedTuple):
    user: str
    at: int
    value: bytes
    bought: bool


def come(steps: list[tuple[str, int, bool]]) -> list[Come]:
    """Events in order of time, each so long after the one before."""
    found, at = [], START
    for n, (user, pause, bought) in enumerate(steps):
        at += pause
        value = (purchase if bought else click)(user, n, at=at)
        found.append(Come(user, at, value, bought))
    return found


def taken(events: Sequence[Come]) -> list[list[Any]]:
    logs = ([c for c in events if not c.bought], [c for c in events if c.bought])
    return [[Rec(c.value, timestamp=c.at) for c in log] for log in logs]


@settings(max_examples=80)
@given(EVENTS, st.lists(st.integers(0, 14), max_size=6), st.booleans())
def test_forgetting_and_returning_is_a_fold_of_the_later_events_alone(steps, cuts, ticks):
    events = come(steps)
    life = Life()
    bounds = sorted({0, len(events), *(cut for cut in cuts if cut < len(events))})
    for first, last in pairwise(bounds):
        life.fold(taken(events[first:last]), 0)
        if ticks:
            life.fold([[], []], life.profiles.time)
    life.fold([[], []], life.profiles.time)
    life.fold([[], []], life.profiles.time)

    later = [c for n, c in enumerate(events) if not forgotten_after(events, n)]
    end = life.profiles.time
    kept = [c for c in later if last_of(events, c.user) + (KEPT + 1) * DAY > end]
    event(f"{min(len(events) - len(kept), 3)} events forgotten")
    fresh = Profiles(program(CATALOGUE))
    for c in kept:
        step(fresh, taken([c]))
    step(fresh, [[], []], floor=end)
    found = {user: life.profiles.read(user, end) for user in life.profiles.known()}
    assert found == {user: fresh.read(user, end) for user in fresh.known()}
    assert len(life.profiles) == len(found)
    # Who goes on from the log has the same rows; numbers may differ.
    assert known(life.restored()) == known(life.profiles)
    states = {s.user_id: (s.born, s.version) for s in tag_states(life.profiles)}
    told = {key.decode(): decode_state(value) for key, value in life.states.items()}
    assert states == {user: (state.born, state.version) for user, state in told.items()}
    # Every tag that somebody had was taken back.
    gone = life.consumer.tags.keys() - found.keys()
    assert not any(life.consumer.tags[user] for user in gone)


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.sampled_from(["ann", "bob"]), st.integers(0, 140).map(lambda n: n * DAY // 2)),
        max_size=8,
    ),
    st.sets(st.integers(0, 8)),
)
def test_how_late_events_fall_into_rounds_says_nothing_about_who_begins_anew(steps, cuts):
    events = [
        Come(user, START + at, click(user, n, at=START + at), False)
        for n, (user, at) in enumerate(steps)
    ]

    def rows(bounds: Sequence[int]) -> dict[str, tuple[int, ...]]:
        life = Life(TEXT.replace("features:\n", ALL))
        for first, last in pairwise([0, *bounds, len(events)]):
            life.fold(taken(events[first:last]), 0, due_limit=0)
        names = ("born", "first_seen", "last_seen", "count:all:any")
        slots = {user: life.profiles.find([user]) for user in life.profiles.known()}
        found = {user: life.profiles.gather(slot)[0] for user, slot in slots.items()}
        return {user: tuple(int(row[n].item()) for n in names) for user, row in found.items()}

    apart, together = rows(range(len(events))), rows(sorted(c for c in cuts if c <= len(events)))
    event(f"{sum(row[0] > START for row in apart.values())} began later")
    assert together == apart


def forgotten_after(events: Sequence[Come], n: int) -> bool:
    """Whether the user of event n was idle for too long some time after it."""
    mine = [c.at for c in events[n:] if c.user == events[n].user]
    return bool((np.diff(mine) >= KEPT * DAY).any())


def last_of(events: Sequence[Come], user: str) -> int:
    return max(c.at for c in events if c.user == user)


@pytest.mark.parametrize(
    ("kept", "learning", "message"),
    [
        ("29d", "", r"forgotten after 29d, but spend_30d looks back 30 days.*30d or more"),
        (
            "30d",
            LEARNING.replace("clicks_10d", "spend_30d").replace("10d", "30d"),
            r"likely_to_click .*ahead 31 days.*31d or more",
        ),
        ("yes", "", "duration"),
    ],
)
def test_a_retention_that_takes_from_windows_or_samples_is_refused(
    tmp_path: Path, kept: str, learning: str, message: str
):
    path = tmp_path / "shop.yaml"
    text = TEXT.replace(f"idle_retention: {KEPT}d", f"idle_retention: {kept}")
    path.write_text(text.replace("features:\n", TEN_DAYS) + learning)
    with pytest.raises(DeclarationError, match=message):
        load_catalogue(path)


def test_without_a_retention_nobody_is_forgotten():
    life = Life(CATALOGUE)
    life.round(START, "ann")
    life.round(START + 3_000 * DAY, "bob")
    assert len(life.profiles) == 2
