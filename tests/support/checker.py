"""Compares what an application has committed with the replay, and with exact counts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import ConsumerRecord
from support.traffic import PLAIN_TAGS, Made, Truth

from stream_app.domain.changes import TagState, TagValue, decode_change, decode_state
from stream_app.engine import Profiles, Program
from stream_app.engine.replay import Event, Replay, ReplayRecord

DAY_MS = 86_400_000
#: Of a user: his tags by name.
Tags = dict[str, TagValue]


def replayed(program: Program, sent: Sequence[Made], partitions: int) -> Replay:
    """The same events folded without a broker, every partition at the end of its own events."""
    replay = Replay(program, partitions, slice_ms=DAY_MS)
    events = [
        Event(made.topic, made.user, made.at, ReplayRecord(made.value, made.at, i))
        for i, made in enumerate(sent)
    ]
    for _ in replay.feed(events):
        pass
    for _ in replay.finish():
        pass
    return replay


def check_features(committed: Sequence[Profiles], replay: Replay, as_of: int) -> None:
    """Every user has the same features in both, and events moved time as far."""
    check_values(committed, replay, as_of)
    times = [part.time for part in committed]
    assert times == [part.time for part in replay.parts]


def check_values(committed: Sequence[Profiles], replay: Replay, as_of: int) -> None:
    """Every user has the same features in both."""
    found = {user: values for part in committed for user, values in part.read_all(as_of)}
    wanted = {user: values for user, _, values in replay.read(as_of)}
    assert found.keys() == wanted.keys()
    for user, values in wanted.items():
        different = [n for n in values if not same(found[user][n], values[n])]
        assert not different, {n: (found[user][n], values[n]) for n in different} | {"user": user}


def check_truth(committed: Sequence[Profiles], truth: Mapping[str, Truth]) -> None:
    """Every accepted event counted once: against counts that know nothing of the program."""
    found = {
        user: (values["events_total"], round((values["spend_total"] or 0) * 100))
        for part in committed
        for user, values in part.read_all(part.time)
    }
    wanted = {user: (exact.events, exact.cents) for user, exact in truth.items()}
    wrong = {
        user: (found.get(user), wanted[user]) for user in wanted if found.get(user) != wanted[user]
    }
    assert not wrong, f"{len(wrong)} users: {dict(list(wrong.items())[:5])}"
    assert found.keys() == wanted.keys()


def same(one: Any, other: Any) -> bool:
    """Equal; decayed weights and means within 1e-6."""
    if isinstance(one, list):
        shares = [{entry["value"]: entry["share"] for entry in side} for side in (one, other)]
        return shares[0].keys() == shares[1].keys() and all(
            same(share, shares[1][value]) for value, share in shares[0].items()
        )
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return one == other


class Consumer:
    """A consumer of `tags`: every user's tags, from an unbroken chain of changes."""

    def __init__(self) -> None:
        self.tags: dict[str, Tags] = {}
        self.versions: dict[str, int] = {}
        self._born: dict[str, int] = {}

    def know(self, state: TagState) -> None:
        """Take over what `tag-state` says of a user."""
        self.tags[state.user_id] = {name: tag["value"] for name, tag in state.tags.items()}
        self.versions[state.user_id] = state.version
        self._born[state.user_id] = state.born

    def follow(self, records: Iterable[ConsumerRecord], *, skip_known: bool = False) -> None:
        """Apply changes in order; AssertionError where one is missing, repeated or does not fit."""
        for record in records:
            change = decode_change(record.value)
            user, version = change.user_id, self.versions.get(change.user_id, 0)
            born = int(change.change_id.split(":")[-2])
            assert record.key == user.encode()
            tags = self.tags.setdefault(user, {})
            if change.version == 1 and born > self._born.get(user, born):
                # He was forgotten, and has come back.
                assert not tags, f"{user} began again with {tags}"
                self._born[user], version = born, 0
            assert self._born.setdefault(user, born) == born, f"{user} began twice"
            if skip_known and change.version <= version:
                continue
            assert change.version == version + 1, f"{change} after version {version}"
            assert change.previous == tags.get(change.tag), f"{change} after {tags}"
            assert change.value != change.previous, change
            self.versions[user] = change.version
            tags[change.tag] = change.value
            if change.value is None:
                del tags[change.tag]


def check_tags(
    consumer: Consumer, states: Sequence[ConsumerRecord], replay: Replay | None = None
) -> None:
    """The chain of changes ends where the last tag state does; plain rules where replay does.

    Who has no state any more was forgotten, and has no tags.
    """
    last = {record.key.decode(): record.value for record in states}
    known = Consumer()
    for state in last.values():
        if state is not None:
            known.know(decode_state(state))
    forgotten = {user for user, state in last.items() if state is None}
    assert not any(consumer.tags.pop(user) for user in forgotten)
    for user in forgotten:
        del consumer.versions[user]
    assert (consumer.versions, consumer.tags) == (known.versions, known.tags)
    if replay is not None:
        wanted = {state.user_id: plain(state.tags) for state in replay.states()}
        assert {user: plain(tags) for user, tags in consumer.tags.items()} == wanted


def plain(tags: Mapping[str, Any]) -> Tags:
    """The tags that features at the end alone decide; of statuses, their values."""
    return {
        name: value["value"] if isinstance(value, dict) else value
        for name, value in tags.items()
        if name in PLAIN_TAGS
    }


def check_dead_letters(
    records: Iterable[ConsumerRecord], refused: Mapping[tuple[str, int, int], int]
) -> None:
    """Every refused event is there once, and nothing else."""
    found: Counter[tuple[str, int, int]] = Counter()
    for record in records:
        headers = {name: value.decode() for name, value in record.headers}
        found[headers["topic"], int(headers["partition"]), int(headers["offset"])] += 1
    assert found == refused
