"""The network between a worker and its broker is slow, is cut, or swallows what it gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.proxy import Proxy
from support.readiness import ANSWER, NO_ANSWER, says
from support.stage import Stage, stage
from support.worker import Worker

from stream_app.kafka.embedded import EmbeddedKafka
from stream_app.kafka.topics import TopicPlan, ensure_topics

FRONT = "FRONT"
CUTS = 8


@asynccontextmanager
async def behind(folder: Path) -> AsyncIterator[tuple[EmbeddedKafka, Proxy]]:
    """A broker, and the way to it on which those stay who come by the proxy."""
    async with Proxy() as proxy:
        kafka = EmbeddedKafka(folder, port=0, heap="512m", fronts={FRONT: proxy.port})
        await asyncio.to_thread(kafka.start)
        try:
            proxy.target = kafka.servers_of(FRONT)
            yield kafka, proxy
        finally:
            await asyncio.to_thread(kafka.stop)


@pytest.mark.timeout(300)
async def test_a_worker_behind_a_bad_network_loses_nothing_and_says_what_is_up(
    plan: TopicPlan, run_worker, tmp_path: Path
) -> None:
    async with behind(tmp_path / "kafka") as (kafka, proxy):
        servers = kafka.bootstrap_servers
        await ensure_topics({"bootstrap_servers": servers}, plan)
        async with stage(servers, plan, run_worker, tmp_path, 61) as on:
            worker = await on.started(bootstrap_servers=proxy.address, session_timeout_s=9)
            begun = len(worker.text())
            async with on.busy():
                await on.follower.advance_each(100)
                assert proxy.connections > plan.partitions
                await slowed(on, worker, proxy)
                await cut(on, proxy)
                await away(on, worker, proxy)
            await on.settle()
            # It took all of that as it came, and did not even have to start again.
            assert "Ending:" not in worker.text()[begun:], worker.tail()
            assert await asyncio.to_thread(worker.terminate) == 0
            await on.verdict()


async def slowed(on: Stage, worker: Worker, proxy: Proxy) -> None:
    """50 ms each way and 200 kB a second: it works, and says how far behind it is.

    It knows an end only from the answers to its fetches: when all that they brought is folded it
    says 0 until the next one comes. So it is asked until it says more.
    """
    proxy.slow(latency_s=0.05, bytes_per_s=200_000)
    await on.follower.advance_each(100)
    await says(worker, ANSWER)
    async with asyncio.timeout(30):
        while await asyncio.to_thread(worker.metric, "stream_app_lag") <= 0:
            await asyncio.sleep(0.05)
    await proxy.mend()


async def cut(on: Stage, proxy: Proxy) -> None:
    """In the middle of fetches and transactions, again and again."""
    before = proxy.accepted
    for _ in range(CUTS):
        await on.follower.advance(200)
        await proxy.cut()
    await on.follower.advance_each(100)
    assert proxy.accepted >= before + CUTS * on.plan.partitions


async def away(on: Stage, worker: Worker, proxy: Proxy) -> None:
    """Longer than a session: packets get lost, then connections are refused."""
    proxy.swallow()
    await says(worker, NO_ANSWER)
    await proxy.refuse()
    async with asyncio.timeout(30):
        while "Connection refused" not in worker.text():
            await asyncio.sleep(0.1)
    await says(worker, NO_ANSWER)
    await proxy.mend()
    await says(worker, ANSWER)
    await on.follower.advance_each(100)
