"""Replay folds files as workers fold topics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from support.clicks import DAY, HOUR, START, click, purchase, users_on
from support.partition import program

from stream_app.engine.replay import Event, Replay, ReplayRecord


def event(user: str, number: int, at: int, bought: bool = False) -> Event:
    look = {"type": "view_item", "item_category": f"c{number % 4}"}
    value = purchase(user, number, 60, at) if bought else click(user, number, at, **look)
    return Event(int(bought), user, at, ReplayRecord(value, at, number))


EVENTS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 40 * DAY), st.booleans()), max_size=25
).map(
    lambda drawn: [
        event(user, n, START + at, bought)
        for n, (user, at, bought) in enumerate(sorted(drawn, key=lambda d: d[1]))
    ]
)


def run(events: Sequence[Event], partitions: int, cuts: Sequence[int] = ()) -> tuple:
    """Features by user, final tags without lists by user, and all changes, fed in pieces."""
    replay = Replay(program(), partitions)
    changes = []
    for start, stop in zip([0, *cuts], [*cuts, len(events)], strict=True):
        for done in replay.feed(events[start:stop]):
            assert not done.refused
            changes += done.step.outputs.changes
    as_of = replay.newest + DAY
    for ended in replay.finish(as_of):
        changes += ended.outputs.changes
    features = {user: values for user, _, values in replay.read(as_of)}
    tags = {
        s.user_id: {n: t.value if hasattr(t, "value") else t["value"] for n, t in s.tags.items()}
        for s in replay.states()
    }
    for held in tags.values():
        held.pop("likes", None)
    return features, tags, changes


@settings(max_examples=25)
@given(EVENTS, st.integers(2, 5), st.lists(st.integers(0, 25), max_size=4))
def test_partitions_and_pieces_do_not_matter(events, partitions, cuts):
    whole = run(events, 1)
    pieces = sorted({min(cut, len(events)) for cut in cuts})
    assert run(events, partitions, pieces)[:2] == whole[:2]


@settings(max_examples=25)
@given(EVENTS, st.integers(1, 4))
def test_changes_of_each_user_chain_and_end_in_the_state(events, partitions):
    _, tags, changes = run(events, partitions)
    versions: dict[str, int] = defaultdict(int)
    held: dict[str, dict] = defaultdict(dict)
    for change in changes:
        versions[change.user_id] += 1
        assert change.version == versions[change.user_id]
        assert held[change.user_id].get(change.tag) == change.previous
        held[change.user_id][change.tag] = change.value
    for user, known in held.items():
        ended = {tag: value for tag, value in known.items() if value is not None and tag != "likes"}
        assert ended == tags.get(user, {})


def test_time_passes_between_events_and_ends_tags():
    replay = Replay(program())
    events = [event("a", 0, START), event("b", 1, START + 3 * DAY)]
    steps = [done.step for done in replay.feed(events)]
    seen = [(c.user_id, c.tag, c.action) for s in steps for c in s.outputs.changes]
    assert ("a", "visitor", "removed") in seen
    assert replay.users == 2
    assert replay.newest == START + 3 * DAY


def test_without_an_end_partitions_stay_where_their_events_ended():
    replay = Replay(program(), 4)
    one, other = next(users_on(1)), next(users_on(2))
    list(replay.feed([event(one, 0, START), event(other, 1, START + HOUR)]))
    list(replay.finish())
    moments = {user: at for user, at, _ in replay.read()}
    assert moments == {one: START, other: START + HOUR}


def test_a_bad_line_is_refused_with_its_record():
    bad = ReplayRecord(b"{", START, 17)
    [done] = Replay(program()).feed([Event(0, "a", START, bad), event("a", 1, START)])
    [(record, rejected)] = done.refused
    assert record is bad
    assert rejected.reason == "malformed"


def test_nothing_is_nothing():
    replay = Replay(program())
    assert list(replay.feed([])) == []
    assert replay.users == 0
