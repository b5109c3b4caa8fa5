"""What is in topics: read from the first record to the last committed one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

#: Longest wait (s) for the next record, and for what an open transaction holds back.
WAIT_S = 90.0


class Record(NamedTuple):
    """One record, and where it lies."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes] = {}

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition} at {self.offset}"


#: Of a topic: the records of each partition.
Parts = list[list[Record]]


class Topic(NamedTuple):
    """The committed records of a topic, and how many of aborted transactions nobody may see."""

    parts: Parts
    hidden: int


async def read(servers: str, topics: Sequence[str]) -> dict[str, Topic]:
    """Return what is in `topics`; TimeoutError where a transaction stays open, or nothing comes."""
    committed = await _records(servers, topics, "read_committed")
    everything = await _records(servers, topics, "read_uncommitted")
    return {
        name: Topic(
            committed[name],
            sum(map(len, everything[name])) - sum(map(len, committed[name])),
        )
        for name in topics
    }


async def _records(servers: str, topics: Sequence[str], isolation: str) -> dict[str, Parts]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        isolation_level=isolation,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2**23,
    )
    await consumer.start()
    try:
        cluster = await consumer._client.fetch_all_metadata()
        names = {name: sorted(cluster.partitions_for_topic(name) or ()) for name in topics}
        found: dict[str, Parts] = {name: [[] for _ in names[name]] for name in topics}
        parts = [TopicPartition(name, number) for name in topics for number in names[name]]
        consumer.assign(parts)
        ends = await _ends(servers, parts)
        await consumer.seek_to_beginning(*parts)
        async with asyncio.timeout(WAIT_S) as limit:
            # A position counts the markers of transactions too, which a partition may end with.
            while left := [part for part in parts if await consumer.position(part) < ends[part]]:
                fetched = await consumer.getmany(*left, timeout_ms=200)
                if fetched:
                    limit.reschedule(asyncio.get_running_loop().time() + WAIT_S)
                for part, records in fetched.items():
                    found[part.topic][part.partition] += [
                        Record(r.topic, r.partition, r.offset, r.key, r.value, dict(r.headers))
                        for r in records
                        if r.offset < ends[part]
                    ]
        return found
    finally:
        await consumer.stop()


async def _ends(servers: str, parts: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
    """The ends of the logs, whatever is open there: who reads up to them has waited for it."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, isolation_level="read_uncommitted")
    await consumer.start()
    try:
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(list(parts))
        return ends
    finally:
        await consumer.stop()
