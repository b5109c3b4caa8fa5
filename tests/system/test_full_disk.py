"""The disk of the broker is full, and free again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.disk import disk_for
from support.readiness import NO_ANSWER, says
from support.stage import stage

from stream_app.kafka.embedded import EmbeddedKafka
from stream_app.kafka.topics import TopicPlan, ensure_topics

MEGABYTES = 96


@pytest.mark.timeout(240)
async def test_a_full_disk_stops_the_worker_until_it_is_free_and_loses_nothing(
    plan: TopicPlan, run_worker, tmp_path: Path
) -> None:
    folder = tmp_path / "kafka"
    kafka = EmbeddedKafka(folder, port=0, heap="512m")
    with disk_for(folder / "data", MEGABYTES, lambda: kafka.pid) as disk, kafka:
        servers = kafka.bootstrap_servers
        await ensure_topics({"bootstrap_servers": servers}, plan)
        async with stage(servers, plan, run_worker, tmp_path, 71) as on:
            worker = await on.started()
            await on.feeder.send(20_000)
            await on.follower.advance(1_000)
            disk.fill()
            # A broker that cannot write any more ends itself.
            await until_ended(kafka)
            assert on.follower.committed() < 20_000
            await says(worker, NO_ANSWER)
            disk.free()
            await asyncio.to_thread(kafka.restart)
            await on.settle()
            await asyncio.to_thread(worker.wait_ready)
            assert await asyncio.to_thread(worker.terminate) == 0
            await on.verdict()


async def until_ended(kafka: EmbeddedKafka) -> None:
    async with asyncio.timeout(60):
        while kafka.alive:
            await asyncio.sleep(0.05)
    assert "all log dirs" in kafka.log.read_text()
