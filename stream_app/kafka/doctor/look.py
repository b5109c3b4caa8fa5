"""Asks Kafka what there is, and changes nothing; each returns facts, or raises what prevents it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    TransactionalIdAuthorizationFailed,
    for_code,
)
from aiokafka.protocol.coordination import FindCoordinatorRequest

from stream_app.engine.changelog import Meta
from stream_app.kafka.closing import leave_within
from stream_app.kafka.committed import Committed, committed
from stream_app.kafka.doctor.facts import (
    Broker,
    Group,
    Input,
    Partition,
    Refusals,
    Replicas,
    operations,
)
from stream_app.kafka.doctor.requests import GroupsRequest, TopicsRequest
from stream_app.kafka.letters import Letter, parse
from stream_app.kafka.positions import partitions_of_inputs, positions, spread
from stream_app.kafka.refused import Why, ask_all
from stream_app.kafka.standing import metas
from stream_app.kafka.topics.check import Finding as Topic
from stream_app.settings import Settings

HOUR: Final = 3_600_000
_CLOSE_S: Final = 2.0
#: Twice that, for what brokers call themselves, has to fit into a step.
_BROKER_S: Final = 4.0
_MOST_LETTERS: Final = 10_000
#: What is left of an input is looked at where it is no more than this.
_MARKERS: Final = 1_000
_TRANSACTIONS: Final = 1
#: Kafka makes the topics of its coordinators when the first group asks for one.
_STARTING: Final = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
_TRIES: Final = 12
_PAUSE_S: Final = 0.5

Answer = TypeVar("Answer")


@asynccontextmanager
async def administration(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connected admin client."""
    admin = AIOKafkaAdminClient(**settings.client_options())
    try:
        await admin.start()
        yield admin
    finally:
        await leave_within(admin.close(), _CLOSE_S)


async def brokers(options: Mapping[str, Any]) -> list[Broker]:
    """Each address of the settings, then those by which brokers call themselves."""
    return [
        Broker(str(called), named, said.text if isinstance(said, Why) else None)
        for called, named, said in await ask_all(options, _BROKER_S)
    ]


async def replicas(admin: AIOKafkaAdminClient, found: Sequence[Topic]) -> dict[str, Replicas]:
    """Of the topics that were found."""
    least = {
        topic.spec.name: int(topic.found.config.get("min.insync.replicas", "1"))
        for topic in found
        if topic.found is not None
    }
    if not least:
        return {}
    answer = await admin._send_request(TopicsRequest(sorted(least)))
    held = {}
    for topic in answer.to_object()["topics"]:
        parts, name = topic["partitions"], topic["topic"]
        held[name] = Replicas(
            leaderless=_where(parts, lambda part: part["leader"] < 0),
            below_min=_where(parts, lambda part, name=name: len(part["isr"]) < least[name]),
            out_of_sync=_where(parts, lambda part: len(part["isr"]) < len(part["replicas"])),
            may=operations(topic["authorized_operations"]),
        )
    return held


def _where(parts: Sequence[Mapping[str, Any]], holds: Any) -> tuple[int, ...]:
    return tuple(sorted(part["partition"] for part in parts if holds(part)))


async def groups(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, Group]:
    """Who is in each group, and what this user may do with it."""
    found = {}
    for name in names:
        try:
            told = await _soon(partial(_group, admin, name))
        except GroupAuthorizationFailedError:
            found[name] = Group(name, refused=True, may=frozenset())
            continue
        hosts = sorted(member["client_host"].lstrip("/") for member in told["members"])
        may = operations(told["authorized_operations"])
        found[name] = Group(name, told["state"], tuple(hosts), may)
    return found


async def _group(admin: AIOKafkaAdminClient, name: str) -> dict[str, Any]:
    coordinator = await admin.find_coordinator(name)
    answer = await admin._send_request(GroupsRequest([name]), coordinator)
    (told,) = answer.to_object()["groups"]
    if told["error_code"]:
        raise for_code(told["error_code"])(name)
    found: dict[str, Any] = told
    return found


async def _soon(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer, asked for again while a coordinator is starting; in the end what it raises."""
    for _ in range(_TRIES):
        try:
            return await ask()
        except _STARTING:
            await asyncio.sleep(_PAUSE_S)
    return await ask()


async def transactional_id(admin: AIOKafkaAdminClient, name: str) -> frozenset[str]:
    """What can be told of a transactional id without taking it: whether one may Describe it."""
    answer = await admin._send_request(FindCoordinatorRequest(name, _TRANSACTIONS))
    if answer.error_code == TransactionalIdAuthorizationFailed.errno:
        return frozenset()
    return frozenset({"Describe"})


async def standing(settings: Settings, number: int) -> dict[int, Meta | None]:
    """The last `\\0meta` of each of so many partitions."""
    changelog = [TopicPartition(settings.changelog_topic, n) for n in range(number)]
    async with committed(settings.client_options(), settings.request_timeout_s) as reader:
        return {
            part.partition: meta for part, (meta, _) in (await metas(reader, changelog)).items()
        }


async def partitions(
    admin: AIOKafkaAdminClient, settings: Settings, counts: Mapping[str, int]
) -> list[Partition]:
    """What each partition has committed, and how far its inputs go; `counts` are the topics'."""
    number = counts[settings.changelog_topic]
    changelog = [TopicPartition(settings.changelog_topic, n) for n in range(number)]
    every = partitions_of_inputs(settings, counts)
    offsets: Mapping[TopicPartition, Any] = {}
    with contextlib.suppress(GroupAuthorizationFailedError):
        offsets = await _soon(partial(admin.list_consumer_group_offsets, settings.app_id))
    async with committed(settings.client_options(), settings.request_timeout_s) as reader:
        firsts, ends = await reader.firsts(every), await reader.ends(every)
        told = await metas(reader, changelog)
        done = {part.partition: meta for part, (meta, _) in told.items() if meta is not None}
        ends |= await _read_to_markers(reader, positions(settings, done), ends)
    found: list[dict[str, Input]] = []
    for of_task in spread(settings, number, {part: at for at, part in enumerate(every)}):
        inputs = {name: every[at] for name, at in of_task.items()}
        groups = {at: offsets[at].offset if at in offsets else None for at in inputs.values()}
        found.append(
            {
                name: Input(at.topic, firsts[at], ends[at], groups[at], at.partition)
                for name, at in inputs.items()
            }
        )
    return [Partition(part.partition, *told[part], found[part.partition]) for part in changelog]


async def _read_to_markers(
    reader: Committed,
    following: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    """Partitions of which all is read but markers of transactions; they end where one goes on."""
    near = {
        part: start
        for part, start in following.items()
        if 0 < ends.get(part, 0) - start <= _MARKERS
    }
    if not near:
        return near
    async for records in reader.read(dict(near), ends):
        for record in records:
            near.pop(TopicPartition(record.topic, record.partition), None)
    return near


async def refusals(settings: Settings, counts: Mapping[str, int], now: int) -> Refusals:
    """Dead letters of the last hour, and the events of it by the times of their records.

    `counts` are the partitions of the topics.
    """
    letters, events = (
        [TopicPartition(topic, n) for topic in topics for n in range(counts[topic])]
        for topics in (
            (settings.dead_letters_topic,),
            (settings.clicks_topic, settings.purchases_topic),
        )
    )
    reasons: Counter[str] = Counter()
    more = False
    async with committed(settings.client_options(), settings.request_timeout_s) as reader:
        since, ends = await reader.since(events, now - HOUR), await reader.ends(events)
        starts = await reader.since(letters, now - HOUR)
        async with contextlib.aclosing(reader.read(starts)) as portions:
            async for records in portions:
                found = map(parse, records)
                reasons.update(one.reason for one in found if isinstance(one, Letter))
                more = reasons.total() >= _MOST_LETTERS
                if more:
                    break
    return Refusals(reasons, sum(ends[part] - since[part] for part in events), more)
