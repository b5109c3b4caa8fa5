"""A round: what is refused, what is published, and that no split of a stream matters."""

from __future__ import annotations

import gc
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clicks import CATALOGUE, DAY, START, Rec, click, purchase, users_on
from support.partition import program, records
from support.streams import Stream, streams

from stream_app.domain.changes import decode_state
from stream_app.domain.partitioner import PARTITIONERS
from stream_app.engine import Profiles, Program, load_catalogue, step

EVERY_KIND = Path(next(iter(support.__path__))) / "every_kind.yaml"
#: Tags of `every_kind.yaml` that remember more than features: they may differ by split.
REMEMBERING = {"sticky", "welcome", "likes"}


@cache
def every_kind() -> Program:
    return load_catalogue(EVERY_KIND, budget=10_000).compile()


def split(stream: Stream, partitions: int) -> list[Profiles]:
    """Profiles after the stream in its rounds, its users on so many partitions."""
    place = PARTITIONERS["murmur2"]
    parts = [Profiles(every_kind(), number, partitions) for number in range(partitions)]
    for batch in stream.batches():
        for part in parts:
            mine = [
                [r for r in log if place(user_of(r), partitions) == part.number] for log in batch
            ]
            step(part, mine)
    latest = max(part.time for part in parts) + stream.look_ms
    for part in parts:
        step(part, [[], []], floor=latest)
    return parts


def user_of(record) -> bytes:
    return every_kind().decoder.decode([[record], [record]]).batch.user[0].encode()


def known(parts: list[Profiles]) -> dict[str, tuple[dict, dict]]:
    """Per user the features, and the tags that do not remember."""
    found = {}
    for part in parts:
        for user, slot in part.slots.items():
            row = part.gather(np.array([slot]))
            state = part.program.tags.state(row, 0, part.dictionary.values)
            tags = {name: held["value"] for name, held in state.items()}
            found[user] = part.read(user), {n: v for n, v in tags.items() if n not in REMEMBERING}
    return found


@settings(max_examples=12)
@given(streams(["USD"], most=16), st.integers(2, 5))
def test_any_split_into_rounds_and_partitions_gives_the_same(stream, partitions):
    whole = known(split(stream.merged(), 1))
    assert known(split(stream, partitions)) == whole


def test_every_kind_of_bad_record_is_refused_and_its_neighbours_count():
    profiles = Profiles(program())
    bad = [None, b"", b"{", click("ann", 1, type="dance"), purchase("ann", 1)]
    mixed = [value for n, b in enumerate(bad) for value in (b, click("ann", 10 + n))]
    done = step(profiles, [records(mixed), []])
    reasons = [r.reason.value for r in done.rejected]
    assert reasons == ["empty", "empty", "malformed", "unknown_type", "wrong_topic"]
    assert [r.position for r in done.rejected] == [0, 2, 4, 6, 8]
    assert done.events == (5, 0)
    assert profiles.read("ann")["clicks_24h"] == 5


@pytest.mark.parametrize(
    ("at", "recorded", "reason"),
    [
        (START, START - 300_000, None),
        (START, START - 300_001, "future"),
        (START, START + 400 * DAY, None),
        (START, START + 400 * DAY + 1, "too_old"),
    ],
)
def test_age_is_judged_against_the_records_time(at, recorded, reason):
    profiles = Profiles(program())
    profiles.time = START + 1_000 * DAY
    done = step(profiles, [[Rec(click("ann", 0, at), timestamp=recorded)], []])
    assert [r.reason.value for r in done.rejected] == ([reason] if reason else [])
    assert len(profiles) == (0 if reason else 1)


def test_a_user_on_the_wrong_partition_is_refused_when_his_row_would_be_made():
    right, wrong = next(users_on(2)), next(users_on(1))
    profiles = Profiles(program(), 2, 4)
    values = [click(wrong, 0), click(right, 1), click(wrong, 2)]
    done = step(profiles, [records(values, first=7), records([purchase(wrong, 1)])])
    assert [(r.topic, r.position, r.reason.value) for r in done.rejected] == [
        (0, 0, "misrouted"),
        (0, 2, "misrouted"),
        (1, 0, "misrouted"),
    ]
    assert "murmur2 puts it on 1 of 4" in done.rejected[0].detail
    assert "declare the producers' `partitioner`" in done.rejected[0].detail
    assert profiles.users == [right]
    # Time moves with accepted events only.
    late = step(profiles, [records([click(wrong, 3, START + 9)], at=START + 9), []])
    assert len(late.rejected) == 1
    assert profiles.time == START


def test_nothing_in_nothing_out():
    profiles = Profiles(program())
    done = step(profiles, [[], []])
    assert (done.touched, done.rejected, [*done.outputs.rows()]) == (0, [], [])
    assert (done.events, profiles.time) == ((0, 0), 0)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e308", "1e309", "-1", '"x"', "1" * 400])
def test_no_amount_brings_nan_into_the_state(amount):
    profiles = Profiles(program())
    value = purchase("ann", 0).replace(b'"value": 20', b'"value": ' + amount.encode())
    done = step(profiles, [[], records([value, purchase("ann", 1)])])
    assert len(done.rejected) == 1
    assert profiles.read("ann")["spend_30d"] == 20


def test_time_never_falls_and_the_floor_raises_it():
    profiles = Profiles(program())
    step(profiles, [records([click("ann", 0, START)]), []], floor=START + 5_000)
    assert profiles.time == START + 5_000
    step(profiles, [records([click("ann", 1, START + 1_000)]), []])
    assert profiles.time == START + 5_000


def test_rows_that_are_due_are_decided_in_slices():
    profiles = Profiles(program())
    step(profiles, [records([click(f"u{n}", n) for n in range(5)]), []])
    assert step(profiles, [[], []], floor=START + 2 * DAY, due_limit=0).due == 0
    done = step(profiles, [[], []], floor=START + 2 * DAY, due_limit=3)
    assert (done.due, done.touched) == (3, 3)
    assert {c.action for c in done.outputs.changes} == {"removed"}
    assert all(c.cause is None for c in done.outputs.changes)
    assert step(profiles, [[], []], due_limit=3).due == 2
    assert step(profiles, [[], []], due_limit=3).due == 0


def test_a_change_names_its_user_version_reason_and_cause():
    profiles = Profiles(program())
    done = step(
        profiles, [records([click("ann", n) for n in range(3)], first=40), []], emitted_at=5
    )
    [first, second] = done.outputs.changes
    assert (first.tag, first.version, first.change_id) == ("visitor", 1, f"ann:{START}:1")
    assert (second.tag, second.version, second.emitted_at) == ("regular", 2, 5)
    [because] = second.because
    assert (because.feature, because.op, because.value, because.threshold) == (
        "clicks_24h", ">=", 3, 3,
    )  # fmt: skip
    assert (second.cause.topic, second.cause.offset, second.cause.event_id) == ("clicks", 42, "c2")
    [(key, value)] = done.outputs.states
    state = decode_state(value)
    assert (key, state.version, [*state.tags]) == (b"ann", 2, ["visitor", "regular"])


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 6 * DAY)), max_size=25))
def test_versions_run_from_one_and_each_change_starts_where_the_last_ended(moments):
    profiles = Profiles(program(CATALOGUE.replace("clicks_24h >= 3", "clicks_24h == 2")))
    held: dict[tuple[str, str], object] = {}
    versions: dict[str, int] = defaultdict(int)
    for number, (user, at) in enumerate(moments):
        look = {"type": "view_item", "item_category": str(number % 3)}
        event = click(user, number, START + at, **look)
        changes = step(profiles, [records([event], at=START + at), []]).outputs.changes
        for change in changes:
            versions[change.user_id] += 1
            assert change.version == versions[change.user_id]
            key = change.user_id, change.tag
            assert change.previous == held.get(key)
            assert change.value != change.previous
            held[key] = change.value


def test_a_round_leaves_nothing_for_the_cycle_collector():
    """A cycle would hold the rows of every round since the last collection."""
    profiles = Profiles(load_catalogue("retail").compile())
    rounds = [[records([click("ann", n)]), records([purchase("ann", n)])] for n in range(3)]
    for round_ in rounds[:2]:
        step(profiles, round_)
    gc.collect()
    gc.disable()
    try:
        done = step(profiles, rounds[2])
        assert done.touched == 1
        list(done.outputs.encoded_changes())
        del done
        assert gc.collect() == 0
    finally:
        gc.enable()
