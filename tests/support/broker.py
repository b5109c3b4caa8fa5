"""Write to and read from a real Kafka in tests."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from stream_app.domain.partitioner import PARTITIONERS
from stream_app.kafka.topics import TopicPlan

READ_SECONDS = 60.0


@dataclass(frozen=True)
class Message:
    """What to send; without a `timestamp` (ms) the record gets the time of sending."""

    key: bytes | None
    value: bytes | None
    timestamp: int | None = None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def by_user(events: Iterable[tuple[str, bytes]]) -> list[Message]:
    """Messages keyed by user id, as a shop's producers send them."""
    return [Message(user.encode(), value) for user, value in events]


async def produce(
    servers: str,
    topic: str,
    messages: Iterable[Message],
    *,
    partition: int | None = None,
    partitioner: str = "murmur2",
    transactional_id: str | None = None,
) -> dict[int, int]:
    """Send in order and wait until all are acknowledged; returns how many went to each partition.

    Keyed like a Java client (murmur2) or librdkafka (crc32); a given `partition` overrules the
    key, and a message without a key goes to partition 0. Whole batches are sent, so that hundreds
    of thousands of messages take seconds. With `transactional_id` they are one transaction, whose
    marker follows them.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=servers,
        enable_idempotence=True,
        max_request_size=2**24,
        transactional_id=transactional_id,
    )
    await producer.start()
    try:
        count = len(await producer.partitions_for(topic))
        place = PARTITIONERS[partitioner]
        split: dict[int, list[Message]] = defaultdict(list)
        for message in messages:
            at = partition if partition is not None else place(message.key or b"", count)
            split[at if message.key is not None or partition is not None else 0].append(message)
        async with producer.transaction() if transactional_id else nullcontext():
            for at, part in split.items():
                await _send(producer, topic, at, part)
        return {at: len(part) for at, part in split.items()}
    finally:
        await producer.stop()


async def _send(producer: AIOKafkaProducer, topic: str, at: int, messages: list[Message]) -> None:
    sent, batch = [], producer.create_batch()
    for message in messages:
        added = None
        while added is None:
            added = batch.append(
                key=message.key,
                value=message.value,
                timestamp=message.timestamp,
                headers=message.headers,
            )
            if added is None:
                sent.append(await producer.send_batch(batch, topic, partition=at))
                batch = producer.create_batch()
    if batch.record_count():
        sent.append(await producer.send_batch(batch, topic, partition=at))
    await asyncio.gather(*sent)


async def read_to_end(
    servers: str, topic: str, *, isolation: str = "read_committed"
) -> list[ConsumerRecord]:
    """All records from the beginning to the end as it is now, partition by partition.

    With read_committed the end is the last stable offset: what an open transaction holds back is
    not waited for.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        isolation_level=isolation,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2**24,
    )
    await consumer.start()
    try:
        numbers = await _partitions(consumer, topic)
        parts = [TopicPartition(topic, number) for number in numbers]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        async with asyncio.timeout(READ_SECONDS):
            read = await _read(consumer, ends)
        return [record for part in parts for record in read[part]]
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[int]:
    found = (await consumer._client.fetch_all_metadata()).partitions_for_topic(topic)
    assert found, f"there is no topic {topic}"
    return sorted(found)


async def _read(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, list[ConsumerRecord]]:
    read: dict[TopicPartition, list[ConsumerRecord]] = {part: [] for part in ends}
    while True:
        # A position counts control records too, which a partition may end with.
        left = [part for part in ends if await consumer.position(part) < ends[part]]
        if not left:
            return read
        for part, records in (await consumer.getmany(*left, timeout_ms=100)).items():
            read[part] += [record for record in records if record.offset < ends[part]]


def environment(servers: str, plan: TopicPlan, **settings: object) -> dict[str, str]:
    """STREAM_APP_* variables for processes that work on these topics."""
    named = {
        "bootstrap_servers": servers,
        "app_id": plan.app_id,
        "partitions": plan.partitions,
        "clicks_topic": plan.clicks,
        "purchases_topic": plan.purchases,
        "tags_topic": plan.tags,
        "tag_state_topic": plan.tag_state,
        "dead_letters_topic": plan.dead_letters,
    } | settings
    return {f"STREAM_APP_{name.upper()}": str(value) for name, value in named.items()}
