"""Read the topic of tag changes as it grows, or once to its end; committed records only."""

from __future__ import annotations

import heapq
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from stream_app.kafka.topics import TopicPlan, ensure_topics, found_of
from stream_app.settings import Settings

POLL_MS: Final = 200


class TailError(Exception):
    """There is nothing to read; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where reading begins and whether it ends: from the beginning or now, to now or for ever."""

    from_beginning: bool = False
    until_end: bool = False


async def changes(
    settings: Settings, extent: Extent
) -> AsyncGenerator[ConsumerRecord[Any, Any], None]:
    """Records of the topic `tags`; a user's are in order, others nearly in order of their time.

    A consumer group is not used: reading here takes nothing from anybody. Raises TailError when
    the topic is missing and aiokafka's KafkaError when no broker answers.
    """
    partitions = await _partitions(settings)
    consumer: AIOKafkaConsumer = AIOKafkaConsumer(
        **settings.client_options(),
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        if not extent.from_beginning:
            for partition, end in ends.items():
                consumer.seek(partition, end)
        while not (extent.until_end and await _at_end(consumer, ends)):
            polled = await consumer.getmany(timeout_ms=POLL_MS)
            for record in in_time_order(polled):
                partition = TopicPartition(record.topic, record.partition)
                if not extent.until_end or record.offset < ends[partition]:
                    yield record
    finally:
        await consumer.stop()


def in_time_order(
    polled: Mapping[TopicPartition, list[ConsumerRecord[Any, Any]]],
) -> list[ConsumerRecord[Any, Any]]:
    """Merge partitions by record time; within a partition the order of the log stays."""
    return list(heapq.merge(*polled.values(), key=lambda record: record.timestamp))


async def _partitions(settings: Settings) -> list[TopicPartition]:
    findings = await ensure_topics(settings.client_options(), TopicPlan.of(settings), create=False)
    topic = settings.tags_topic
    found = found_of(findings, topic)
    if found is not None:
        return [TopicPartition(topic, number) for number in range(found.partitions)]
    raise TailError(
        f"no topic {topic} on {settings.bootstrap_servers}: `stream-app topics --apply` creates it"
    )


async def _at_end(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    # A position counts the markers of transactions too, which a partition may end with.
    for partition, end in ends.items():
        if await consumer.position(partition) < end:
            return False
    return True
