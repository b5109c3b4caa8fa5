"""The state of an application that has read all of its inputs, written as workers would have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from support.broker import Message, produce

from stream_app.domain.batch import TOPICS
from stream_app.domain.changes import encode
from stream_app.engine import Profiles, Program, step
from stream_app.engine.changelog import (
    Meta,
    encode_layout,
    encode_meta,
    encode_strings,
)
from stream_app.engine.outputs import tag_states
from stream_app.kafka.topics import TopicPlan

_AT_ONCE = 5_000


class Event(NamedTuple):
    """Topic (0 clicks, 1 purchases), user, and the event's bytes."""

    topic: int
    user: str
    value: bytes


class Record(NamedTuple):
    """An event as a step takes it; records have the times of their events here."""

    value: bytes
    offset: int
    timestamp: int


def fold(program: Program, events: Iterable[Event], partitions: int, at: int) -> list[Profiles]:
    """Fold events as so many partitions would have, all in records of the time `at` (ms)."""
    states = [Profiles(program, number, partitions) for number in range(partitions)]
    records: list[list[list[Record]]] = [[[], []] for _ in states]
    for event in events:
        log = records[program.partitioner(event.user.encode(), partitions)][event.topic]
        log.append(Record(event.value, len(log), at))
    for profiles, logs in zip(states, records, strict=True):
        for first in range(0, max(map(len, logs)), _AT_ONCE):
            done = step(profiles, [log[first : first + _AT_ONCE] for log in logs])
            assert not done.rejected, done.rejected[0]
    return states


def meta_of(profiles: Profiles, following: Mapping[str, int], **fields: object) -> Meta:
    """What the last transaction of a partition said."""
    return Meta(
        next=dict(following),
        time=profiles.time,
        layout=f"{profiles.program.layout.fingerprint:016x}",
        strings=len(profiles.dictionary),
        revision=profiles.program.catalogue.revision,
        **fields,  # type: ignore[arg-type]
    )


def changelog_of(profiles: Profiles, meta: Meta) -> list[tuple[bytes, bytes]]:
    """The changelog of a partition, compacted."""
    texts = [(code, text) for code, text in enumerate(profiles.dictionary.values.known) if code]
    size, content = profiles.program.layout.size, profiles.rows._bytes[: len(profiles)].tobytes()
    rows = [
        (user.encode(), content[i * size : (i + 1) * size]) for i, user in enumerate(profiles.users)
    ]
    layout = encode_layout(profiles.program.layout)
    return [layout, *encode_strings(texts), *rows, encode_meta(meta)]


async def settle(
    servers: str, plan: TopicPlan, program: Program, events: list[Event], at: int
) -> list[Profiles]:
    """Send events and write the state that has read them all; returns it, by partition."""

    ends: list[dict[int, int]] = []
    for topic, name in enumerate((plan.clicks, plan.purchases)):
        sent = [Message(e.user.encode(), e.value) for e in events if e.topic == topic]
        ends.append(await produce(servers, name, sent))
    states = fold(program, events, plan.partitions, at)
    for profiles in states:
        following = {name: ends[i].get(profiles.number, 0) for i, name in enumerate(TOPICS)}
        meta = meta_of(profiles, following, partitions=plan.partitions)
        log = [Message(*record) for record in changelog_of(profiles, meta)]
        await produce(servers, plan.changelog, log, partition=profiles.number)
        tags = [Message(state.user_id.encode(), encode(state)) for state in tag_states(profiles)]
        await produce(servers, plan.tag_state, tags, partition=profiles.number)
    return states
