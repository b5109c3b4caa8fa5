"""Three brokers, of which any one may be lost: the cluster itself, and a worker on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.structs import TopicPartition
from support.stage import stage

from stream_app.kafka.embedded import EmbeddedCluster
from stream_app.kafka.topics import TopicPlan, ensure_topics

COPIES = {"replication": 3, "min_insync_replicas": 2}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster(tmp_path / "cluster") as running:
        yield running


@pytest.fixture
def copied(plan: TopicPlan) -> TopicPlan:
    """The topics of this test, with a copy on each broker; not created yet."""
    return replace(plan, replication=3, min_isr=2)


@pytest.mark.timeout(300)
async def test_one_broker_after_another_dies_under_a_worker_and_nothing_is_lost(
    cluster: EmbeddedCluster, copied: TopicPlan, run_worker, tmp_path: Path
) -> None:
    servers = cluster.bootstrap_servers
    await ensure_topics({"bootstrap_servers": servers}, copied)
    async with stage(servers, copied, run_worker, tmp_path, 51) as on:
        worker = await on.started(**COPIES)
        for number in cluster.brokers:
            async with on.busy():
                await on.follower.advance_each(50)
                cluster.kill(number)
                # The two that are left lead everything, and take writes.
                await on.follower.advance_each(50)
            # It comes back while what is left of that is folded.
            await asyncio.to_thread(cluster.restart, number)
            await cluster.in_sync()
        async with on.busy():
            await on.follower.advance_each(50)
            await moved(cluster, copied, 2)
            await on.follower.advance_each(50)
        await on.settle()
        await asyncio.to_thread(worker.wait_ready)
        assert await asyncio.to_thread(worker.terminate) == 0
        await on.verdict()


async def moved(cluster: EmbeddedCluster, plan: TopicPlan, number: int) -> None:
    """Have one broker lead all inputs and the changelog, which others led before."""
    names = (plan.clicks, plan.purchases, plan.changelog)
    parts = [TopicPartition(name, n) for name in names for n in range(plan.partitions)]
    before = await cluster.copies()
    assert {before[part].leader for part in parts} != {number}
    await cluster.move_leaders(dict.fromkeys(parts, number))
    after = await cluster.copies()
    assert {after[part].leader for part in parts} == {number}
    assert all(part.in_sync == {1, 2, 3} for part in after.values())
