"""Asks Kafka how far workers are and what they refused, and changes nothing; see `look`."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError

from stream_app.engine.changelog import Meta
from stream_app.kafka.client.committed import Committed, committed
from stream_app.kafka.dead_letter_queue.letters import Letter, parse
from stream_app.kafka.doctor.facts import Input, Partition, Refusals
from stream_app.kafka.doctor.look import soon
from stream_app.kafka.input_topics.positions import partitions_of_inputs, positions, spread
from stream_app.kafka.recovery.standing import metas
from stream_app.settings import Settings

HOUR: Final = 3_600_000
_MOST_LETTERS: Final = 10_000
#: What is left of an input is looked at where it is no more than this.
_MARKERS: Final = 1_000


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
        offsets = await soon(partial(admin.list_consumer_group_offsets, settings.app_id))
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
