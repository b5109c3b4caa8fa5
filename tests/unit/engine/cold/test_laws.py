"""A bound on what is in memory changes nothing that is published, whatever happens meanwhile."""

from __future__ import annotations

from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from support.clicks import CATALOGUE, DAY, HOUR, START, click, purchase
from support.partition import program, records
from support.shelves import FakeShelf

from stream_app.domain.changes import encode
from stream_app.engine import Profiles, Program, step
from stream_app.engine.changelog import META, Loader, Meta, encode_layout, encode_meta
from stream_app.engine.changelog import encode_strings as strings_of
from stream_app.engine.cold import checkpoint
from stream_app.engine.cold.checkpoint import Checkpoints, Name, Owner, Unusable, load
from stream_app.engine.cold.keeper import Mark
from stream_app.engine.cold.profiles import ColdProfiles
from stream_app.engine.cold.room import Room

LEARNING = """
learning:
  max_gap: 40d
  predictions:
    likely_to_click:
      description: Will click within two days.
      among: clicks_24h >= 1
      features: [clicks_24h, spend_30d]
      outcome: clicks_2d > 0
      horizon: 2d
      rate: 0.7
      bands: {mid: 0.2, high: 0.5, top: 0.8, margin: 0.05}
      holdout: 0.5
  segments: {features: [price_7d], rate: 0.5}
"""
BASE = CATALOGUE.replace(
    "features:\n", "features:\n  clicks_2d: {count: clicks, window: 2d}\n"
).replace("clock: event", "clock: event, idle_retention: 30d")
TEXTS = (
    BASE + LEARNING,
    BASE.replace("features:\n", "features:\n  active: {active_days: any, window: 7d}\n") + LEARNING,
    BASE.replace("clicks_24h >= 1", "clicks_24h >= 2"),
)


@pytest.fixture(autouse=True, scope="module")
def _small():
    """Pages and slices that a few users fill."""
    with patch.object(checkpoint, "_PAGE", 4), patch.object(checkpoint, "_SLICE", 2):
        yield


OWNER = Owner("app-profiles-changelog", 0, 1)
NAME = Name("a", 0)


class Round(NamedTuple):
    """Events as (user, is a purchase), and how far time goes before them."""

    events: list[tuple[int, bool]]
    pause: int


class Reload(NamedTuple):
    text: int


class Restart(NamedTuple):
    """Without `kept` the worker is stopped; else killed, and so much of what it wrote is left."""

    kept: float | None


class Life:
    """One partition as `kafka.partition.rounds` runs it; `room` None keeps everything in memory."""

    def __init__(self, room: int | None, every: int, due_limit: int) -> None:
        self.program: Program = program(TEXTS[0])
        self.log: list[tuple[bytes, bytes | None]] = []
        self.room = None if room is None else Room(room)
        self.every, self.due_limit = every, due_limit
        self.shelf = FakeShelf()
        self.layouts: set[int] = set()
        self.offset = 0
        self.rebuilt = 0
        self.continued = 0
        self.profiles: Profiles = self._begin()

    def _begin(self) -> Profiles:
        if self.room is None:
            return Profiles(self.program)
        cold = ColdProfiles(self.program, 0, 1, self.shelf, self.room)
        self.checkpoints = Checkpoints(cold, OWNER, NAME, every=self.every)
        return cold

    def round(self, now: int, events: list[tuple[int, bool]]) -> tuple[Any, ...]:
        clicks = [
            click(f"u{u}", self.offset + i, at=now) for i, (u, p) in enumerate(events) if not p
        ]
        bought = [
            purchase(f"u{u}", self.offset + i, at=now) for i, (u, p) in enumerate(events) if p
        ]
        self.offset += len(events)
        taken = [records(clicks, at=now), records(bought, at=now)]
        done = step(self.profiles, taken, floor=now, due_limit=self.due_limit)
        layout = self.profiles.program.layout
        written = Meta(
            {"clicks": self.offset, "purchases": 0},
            self.profiles.time,
            f"{layout.fingerprint:016x}",
            len(self.profiles.dictionary),
            self.profiles.program.catalogue.revision,
            self.profiles.feed.seen,
            self.profiles.feed.pause,
            users=len(self.profiles),
        )
        internal = [encode_meta(written), *strings_of(done.strings)]
        if layout.fingerprint not in self.layouts:
            self.layouts.add(layout.fingerprint)
            internal.append(encode_layout(layout))
        rows = [(k, None if v is None else bytes(v)) for k, v in done.outputs.rows()]
        at = len(self.log)
        self.log += [*internal, *rows]
        if self.room is not None:
            self.checkpoints.committed(Mark(at, internal[0][1]))
        changes = [encode(change) for change in done.outputs.changes]
        return internal, rows, changes, done.outputs.states, done.training

    def reload(self, text: int) -> None:
        if program(TEXTS[text]) is not self.program:
            self.program = program(TEXTS[text])
            self.profiles = self.profiles.under(self.program)

    def restart(self, kept: float | None) -> None:
        if self.room is None:
            return
        if kept is None:
            for _ in self.checkpoints.finish():
                pass
        self.profiles.close()
        self.shelf = self.shelf.crashed(0 if kept is None else kept)
        first = 0
        try:
            found = load(self.shelf, self.program, OWNER, self.room)
        except Unusable:
            self.rebuilt += 1
            self.shelf = FakeShelf()
            self._begin()
            loader = Loader(self.program, 0, 1, self.checkpoints.profiles)
        else:
            self.continued += 1
            first = found.mark.offset
            assert self.log[first] == (META, found.mark.meta)
            known = found.profiles.extent
            self.checkpoints = Checkpoints(
                found.profiles, OWNER, NAME, known=known, every=self.every
            )
            loader = Loader(self.program, 0, 1, found.profiles)
        for at in range(first, len(self.log), 7):
            loader.add(self.log[at : at + 7])
        self.profiles = loader.finish()
        assert loader.meta is None or loader.meta.users == len(self.profiles)


EVENTS = st.lists(st.tuples(st.integers(0, 11), st.booleans()), max_size=8)
PAUSES = st.sampled_from([1, 1, 60_000, HOUR, 5 * HOUR, DAY, 8 * DAY, 32 * DAY])
ROUNDS = st.builds(Round, EVENTS, PAUSES)
CRASHES = st.builds(Restart, st.floats(0, 1))
RELOADS = st.builds(Reload, st.integers(0, len(TEXTS) - 1))


def compare(plan: list[Any], room: int, every: int, due_limit: int) -> Life:
    """Live both lives by a plan; fail where what they publish differs."""
    plain, bounded = Life(None, every, due_limit), Life(room, every, due_limit)
    now = START
    for what in plan:
        if isinstance(what, Round):
            now += what.pause
            one, other = (life.round(now, what.events) for life in (plain, bounded))
            if bounded.rebuilt or bounded.continued:
                # Whoever came between a checkpoint and a crash is numbered anew.
                one, other = ([sorted(p, key=repr) for p in life] for life in (one, other))
            assert one == other
            settled = bounded.profiles.residents.count
            bounded.profiles.settle()
            assert bounded.profiles.residents.count <= min(settled, room)
        elif isinstance(what, Reload):
            plain.reload(what.text)
            bounded.reload(what.text)
        else:
            bounded.restart(what.kept)
    at = plain.profiles.time
    assert dict(plain.profiles.read_all(at)) == dict(bounded.profiles.read_all(at))
    assert sorted(plain.profiles.known()) == sorted(bounded.profiles.known())
    return bounded


@settings(max_examples=25)
@given(
    st.lists(st.one_of(ROUNDS, ROUNDS, ROUNDS, RELOADS), max_size=12),
    st.integers(1, 9),
    st.integers(1, 6),
)
def test_evictions_and_reloads_change_nothing(plan, room, due_limit):
    compare(plan, room, 5, due_limit)


@settings(max_examples=40)
@given(
    st.lists(
        st.one_of(
            ROUNDS,
            ROUNDS,
            ROUNDS,
            st.builds(Restart, st.one_of(st.none(), st.floats(0, 1))),
        ),
        max_size=14,
    ),
    st.integers(1, 9),
    st.integers(1, 8),
)
def test_restarts_change_nothing(plan, room, every):
    life = compare(plan, room, every, 5_000)
    event(f"{min(life.continued, 2)} continued, {min(life.rebuilt, 2)} rebuilt")


@settings(max_examples=20)
@given(
    st.lists(
        st.one_of(ROUNDS, st.tuples(RELOADS, RELOADS, ROUNDS), st.tuples(RELOADS, CRASHES, ROUNDS)),
        max_size=10,
    ),
    st.integers(1, 4),
)
def test_a_restart_after_a_reload_changes_nothing(plan, room):
    flat = [part for what in plan for part in (what if type(what) is tuple else [what])]
    compare(flat, room, 3, 5_000)


def test_what_a_catalogue_drops_stays_dropped_for_cold_rows_too():
    came = Round([(0, False), (1, False), (2, False)], HOUR)
    compare([Reload(1), came, came, Reload(0), Reload(1), came], 1, 5, 5_000)


def test_rows_of_a_layout_that_no_checkpoint_names_are_written_anew():
    rounds = [Round([(user, False) for user in range(6)], HOUR) for _ in range(2)]
    there_and_back = [*rounds, Restart(None), Reload(1), *rounds, Reload(0), rounds[0]]
    compare([*there_and_back, Restart(1.0), *rounds], 1, 10_000, 5_000)


def test_a_stopped_worker_continues_from_its_store():
    rounds = [Round([(user, False) for user in range(8)], HOUR) for _ in range(3)]
    life = compare([*rounds, Restart(None), *rounds, Restart(None)], 2, 10_000, 5_000)
    assert (life.continued, life.rebuilt) == (2, 0)


def test_a_number_that_was_given_again_is_in_the_next_checkpoint():
    many, late = Round([(user, False) for user in range(8)], HOUR), Round([(8, False)], 40 * DAY)
    back = Round([(9, False), (10, False)], HOUR)
    life = compare([many, late, Restart(None), back, Restart(None), back], 2, 10_000, 5_000)
    assert (life.continued, life.rebuilt, life.profiles.extent) == (2, 0, 9)


def test_a_deletion_that_compaction_took_shows_in_the_number_of_users():
    life = Life(3, 5, 5_000)
    life.round(START, [(user, False) for user in range(5)])
    life.checkpoints._begin()
    for _ in life.checkpoints.finish():
        pass
    found = load(life.shelf, life.program, OWNER, life.room)
    life.round(START + 40 * DAY, [(6, False)])
    life.round(START + 40 * DAY, [(1, False)])
    since = life.log[found.mark.offset :]
    assert sum(value is None for _, value in since) == 5
    for kept, whole in (
        (since, True),
        ([record for record in since if record != (b"u1", None)], True),
        ([record for record in since if record != (b"u2", None)], False),
    ):
        loader = Loader(
            life.program, 0, 1, load(life.shelf, life.program, OWNER, life.room).profiles
        )
        loader.add(kept)
        assert loader.meta is not None
        assert (loader.meta.users == len(loader.finish())) == whole
