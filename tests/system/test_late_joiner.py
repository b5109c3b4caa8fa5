"""Who joins late by `tag-state` ends with the same tags as who was there from the start."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from support.broker import read_to_end
from support.checker import Consumer, check_tags
from support.stage import stage

from stream_app.domain.changes import decode_state
from stream_app.kafka.topics import TopicPlan

Offsets = Mapping[TopicPartition, int]


class LateJoiner:
    """Follows the three steps of docs/messages.md."""

    def __init__(self, servers: str, plan: TopicPlan) -> None:
        self._servers = servers
        self._plan = plan
        self._from: Offsets = {}
        self.consumer = Consumer()

    async def join(self) -> None:
        """Note the ends of `tags`, then read `tag-state` to its end."""
        self._from = await ends(self._servers, self._plan, self._plan.tags, "read_committed")
        # Of a transaction that `tags` has committed, `tag-state` may still wait for the marker:
        # its end is that of all records, and reading committed ones up to there waits for it.
        to = await ends(self._servers, self._plan, self._plan.tag_state, "read_uncommitted")
        for record in await read(self._servers, dict.fromkeys(to, 0), to):
            self.consumer.know(decode_state(record.value))

    async def follow(self) -> int:
        """Read what came to `tags` since, up to now; returns how many changes that were."""
        to = await ends(self._servers, self._plan, self._plan.tags, "read_committed")
        records = await read(self._servers, self._from, to)
        self.consumer.follow(records, skip_known=True)
        return len(records)


async def ends(servers: str, plan: TopicPlan, topic: str, isolation: str) -> Offsets:
    """End of every partition as a consumer of that isolation sees it."""
    parts = [TopicPartition(topic, number) for number in range(plan.partitions)]
    async with AIOKafkaConsumer(bootstrap_servers=servers, isolation_level=isolation) as consumer:
        found: Offsets = await consumer.end_offsets(parts)
        return found


async def read(servers: str, start: Offsets, end: Offsets) -> list[ConsumerRecord]:
    """Committed records from `start` until the position has passed `end`."""
    if start == end:
        return []
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, isolation_level="read_committed", enable_auto_commit=False
    )
    records: list[ConsumerRecord] = []
    parts = [part for part in start if start[part] < end[part]]
    async with asyncio.timeout(60), consumer:
        consumer.assign(parts)
        for part in parts:
            consumer.seek(part, start[part])
        while left := [part for part in parts if await consumer.position(part) < end[part]]:
            for fetched in (await consumer.getmany(*left, timeout_ms=100)).values():
                records += fetched
    return records


@pytest.mark.timeout(180)
async def test_joiners_at_any_moment_end_like_who_was_there_from_the_start(
    kafka, topics, run_worker, tmp_path
) -> None:
    servers = kafka.bootstrap_servers
    joiners = [LateJoiner(servers, topics) for _ in range(12)]
    async with stage(servers, topics, run_worker, tmp_path, 31) as on:
        await joiners[0].join()
        worker = await on.started(round_records=50)
        async with on.busy():
            for joiner in joiners[1:-1]:
                await on.follower.advance(200)
                await joiner.join()
            await on.follower.advance_each(100)
        await on.settle()
        await joiners[-1].join()
        assert await asyncio.to_thread(worker.terminate) == 0

        elder = await on.consumer()
        check_tags(elder, await read_to_end(servers, topics.tag_state))
        followed = [await joiner.follow() for joiner in joiners]
        for joiner in joiners:
            assert joiner.consumer.versions == elder.versions
            assert joiner.consumer.tags == elder.tags
        assert followed == sorted(followed, reverse=True)
        assert followed[0] == sum(elder.versions.values())
        assert len(set(followed)) == len(joiners)
        assert followed[-1] == 0
