"""Users move whole, whenever it is broken off, and however many partitions there were and will be.

Kafka is lists here: a transaction writes to all of them or to none.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clicks import click, purchase
from support.partition import program
from support.settled import Event, changelog_of, fold, meta_of

from stream_app.domain.changes import encode
from stream_app.domain.partitioner import PARTITIONERS
from stream_app.engine import Profiles
from stream_app.engine.changelog import META, STORE, Loader, Meta, encode_meta
from stream_app.engine.outputs import tag_states
from stream_app.kafka.client.writer import Outgoing
from stream_app.kafka.maintenance.moving import NOTE, Mover, Sum
from stream_app.kafka.maintenance.offline import OfflineError
from stream_app.settings import Settings

SETTINGS = Settings(app_id="a")
CHANGELOG, STATES = SETTINGS.changelog_topic, SETTINGS.tag_state_topic
PLACE = PARTITIONERS["murmur2"]
USERS = [f"user-{number}" for number in range(40)]


class Crash(Exception):
    """The process was killed."""


class Record(NamedTuple):
    topic: str
    partition: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Kafka:
    """Reader and writer at once; dies at the `lives`-th transaction, before or after it."""

    def __init__(self) -> None:
        self.logs: dict[TopicPartition, list[Record]] = defaultdict(list)
        self.lives = 1 << 30
        self.after = False

    async def firsts(self, parts: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(parts, 0)

    async def read(self, starts: Mapping[TopicPartition, int]) -> AsyncIterator[list[Record]]:
        for part in starts:
            yield list(self.logs[part])

    async def write(
        self, outputs: Mapping[TopicPartition, Iterable[Outgoing]], before: Callable[[], None]
    ) -> None:
        before()
        self.lives -= 1
        if not self.lives and not self.after:
            raise Crash
        for part, records in outputs.items():
            for key, value, headers in records:
                kept = None if value is None else bytes(value)
                self.logs[part].append(Record(*part, key, kept, tuple(headers)))
        if not self.lives:
            raise Crash


@cache
def states_of(partitions: int) -> list[Profiles]:
    """Users with all that a row can have, some with strings that only one partition knows."""
    events = []
    for i, user in enumerate(USERS):
        look = {"type": "view_item", "item_category": f"kind {i % 13}", "price": 3}
        events.append(Event(0, user, click(user, i, currency="USD", **look)))
        if i % 3 == 0:
            events.append(Event(1, user, purchase(user, i, 120)))
    return fold(program(), events, partitions, 1_486_555_200_000)


def kafka_of(partitions: int, **fields: Any) -> Kafka:
    """An application that has read everything."""
    kafka = Kafka()
    for profiles in states_of(partitions):
        number = profiles.number
        meta = meta_of(profiles, {"clicks": 10 + number}, partitions=partitions, **fields)
        rows = TopicPartition(CHANGELOG, number)
        kafka.logs[rows] = [Record(*rows, *pair) for pair in changelog_of(profiles, meta)]
        tags = TopicPartition(STATES, number)
        told = [(state.user_id.encode(), encode(state)) for state in tag_states(profiles)]
        kafka.logs[tags] = [Record(*tags, *pair, (("h", b"1"),)) for pair in told]
    return kafka


async def spread(kafka: Kafka, before: int, after: int) -> tuple[Sum, Sum, list[int]]:
    """One run of the command, as if all topics had grown at its beginning."""
    topics = [CHANGELOG, STATES, "clicks", "purchases"]
    growing = dict.fromkeys(topics, after)
    there = dict.fromkeys(topics, max(before, *(part.partition + 1 for part in kafka.logs)))
    mover = Mover(SETTINGS, before, growing, there, PLACE, lambda step, what: None, at_once=3)
    io: Any = kafka
    found = await mover.read(io)
    await mover.note(io)
    await mover.prepare(io)
    for number in range(before):
        await mover.move(io, io, number)
    now, users = await mover.verify(io)
    await mover.end(io)
    return found, now, users


def restored(kafka: Kafka, partitions: int) -> list[Profiles]:
    states = []
    for number in range(partitions):
        loader = Loader(program(), number, partitions)
        log = kafka.logs[TopicPartition(CHANGELOG, number)]
        loader.add([(record.key, record.value) for record in log])
        states.append(loader.finish())
    return states


def everything(states: list[Profiles]) -> dict[str, Any]:
    at = max(profiles.time for profiles in states)
    return dict(sorted(one for profiles in states for one in profiles.read_all(at)))


def meta(kafka: Kafka, number: int) -> Meta:
    loader = Loader(program(), number, 1)
    log = kafka.logs[TopicPartition(CHANGELOG, number)]
    loader.add([(record.key, record.value) for record in log if record.key == META])
    assert loader.meta is not None
    return loader.meta


def tags_at_home(kafka: Kafka, partitions: int) -> dict[bytes, Record]:
    last = {
        (number, record.key): record
        for number in range(partitions)
        for record in kafka.logs[TopicPartition(STATES, number)]
    }
    kept = {at: record for at, record in last.items() if record.value is not None}
    assert all(PLACE(key, partitions) == number for number, key in kept)
    return {key: record for (_, key), record in kept.items()}


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(1, 25), st.booleans()), max_size=4),
)
def test_killed_at_any_transactions_it_ends_with_the_same_users_at_home(
    before: int, more: int, kills: list[tuple[int, bool]]
) -> None:
    asyncio.run(killed(before, before + more, kills))


async def killed(before: int, after: int, kills: list[tuple[int, bool]]) -> None:
    """Spread the users in spite of kills, and look for all of them."""
    kafka = kafka_of(before)
    for kafka.lives, kafka.after in kills:
        if meta(kafka, 0).was:
            # Killed after its last transaction: `look` finds nothing to do.
            break
        try:
            await spread(kafka, before, after)
        except Crash:
            continue
        break
    kafka.lives = 1 << 30
    if not meta(kafka, 0).was:
        found, now, users = await spread(kafka, before, after)
        assert found == now
        assert sum(users) == len(USERS)
    assert everything(restored(kafka, after)) == everything(states_of(before))
    tags = tags_at_home(kafka, after)
    assert {(key, r.value, r.headers) for key, r in tags.items()} == {
        (r.key, r.value, r.headers) for r in tags_at_home(kafka_of(before), before).values()
    }


async def test_what_it_added_up_to_is_kept_over_a_kill() -> None:
    kafka = kafka_of(2)
    kafka.lives = 5
    with pytest.raises(Crash):
        await spread(kafka, 2, 4)
    kafka.lives = 1 << 30
    part = TopicPartition(CHANGELOG, 0)
    gone = next(u.encode() for u in USERS if PLACE(u.encode(), 4) == 0)
    kafka.logs[part].append(Record(*part, gone, None))
    found, now, _ = await spread(kafka, 2, 4)
    assert found.profiles.users == len(USERS)
    assert now.profiles.users == len(USERS) - 1


async def test_local_stores_are_disowned_before_anybody_leaves() -> None:
    kafka = kafka_of(2)
    part = TopicPartition(CHANGELOG, 1)
    kafka.logs[part].append(Record(*part, STORE, b"a store's name"))
    await spread(kafka, 2, 4)
    log = [(record.key, record.value) for record in kafka.logs[part]]
    disowned = log.index((STORE, None))
    left = [i for i, (key, value) in enumerate(log) if value is None and key[:1] != b"\0"]
    assert left
    assert disowned < min(left)
    assert (STORE, None) not in {(r.key, r.value) for r in kafka.logs[TopicPartition(CHANGELOG, 0)]}


async def test_what_metas_say_afterwards() -> None:
    kafka = kafka_of(2)
    late = TopicPartition(CHANGELOG, 1)
    own = meta(kafka, 1)
    newer = Meta(own.next, own.time + 5, own.layout, own.strings, own.revision, seen=9, was=())
    kafka.logs[late].append(Record(*late, *encode_meta(newer)))
    await spread(kafka, 2, 4)
    metas = [meta(kafka, number) for number in range(4)]
    assert [one.partitions for one in metas] == [4] * 4
    assert [one.was for one in metas] == [(2,)] * 4
    assert {one.busy for one in metas} == {""}
    # Of two, the third's users were on the first, the fourth's on the second.
    assert [one.time - own.time for one in metas] == [0, 5, 0, 5]
    assert [one.seen for one in metas] == [0, 9, 0, 9]
    assert [one.next.get("clicks") for one in metas] == [10, 11, 0, 0]
    assert {one.revision for one in metas} == {own.revision}
    log = kafka.logs[TopicPartition(CHANGELOG, 0)]
    assert [record.value for record in log if record.key == NOTE][-1] is None


async def test_between_old_partitions_time_is_the_latest_of_all() -> None:
    kafka = kafka_of(2)
    part = TopicPartition(CHANGELOG, 1)
    own = meta(kafka, 1)
    newer = Meta(own.next, own.time + 5, own.layout, own.strings, "another")
    kafka.logs[part].append(Record(*part, *encode_meta(newer)))
    await spread(kafka, 2, 3)
    assert {meta(kafka, number).time - own.time for number in range(3)} == {5}
    # Decided under different catalogues: everybody is decided anew.
    assert {meta(kafka, number).revision for number in range(3)} == {""}


async def test_workers_are_refused_until_the_end() -> None:
    kafka = kafka_of(2, busy="stream-app repartition --to 4 --apply")
    kafka.lives = 6
    with pytest.raises(Crash):
        await spread(kafka, 2, 4)
    assert all(meta(kafka, number).busy for number in range(4))
    kafka.lives = 1 << 30
    await spread(kafka, 2, 4)
    assert not any(meta(kafka, number).busy for number in range(4))


@pytest.mark.parametrize(
    ("before", "number", "users", "said"),
    [
        (2, 2, ["user-0"], "has 1 profiles already, although the state is spread over 2"),
        (2, 0, ["elsewhere-4"], "1 of .* profiles of partition 0 belong elsewhere"),
    ],
    ids=["by hand", "other partitioner"],
)
async def test_users_where_they_should_not_be_are_refused(
    before: int, number: int, users: list[str], said: str
) -> None:
    kafka = kafka_of(before)
    row = next(r for r in kafka.logs[TopicPartition(CHANGELOG, 0)] if r.key[:1] != b"\0")
    for layout in kafka.logs[TopicPartition(CHANGELOG, 0)][:1]:
        part = TopicPartition(CHANGELOG, number)
        kafka.logs[part].append(Record(*part, layout.key, layout.value))
        kafka.logs[part] += [Record(*part, user.encode(), row.value) for user in users]
    with pytest.raises(OfflineError, match=said):
        await spread(kafka, before, 4)


async def test_strings_without_room_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_app.kafka.maintenance.moving.CAPACITY", 12)
    with pytest.raises(OfflineError, match="would name 13 strings, and has room for 12: choose a"):
        await spread(kafka_of(2), 2, 3)
