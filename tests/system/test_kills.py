"""Workers die at any moment; nothing is lost and nothing is counted twice."""

from __future__ import annotations

import asyncio
import random

import pytest
from support.stage import stage


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("workers", "kills"), [(1, 4), (2, 11)])
async def test_killed_workers_lose_and_double_nothing(
    kafka, topics, run_worker, tmp_path, workers: int, kills: int
) -> None:
    moments = random.Random(workers)
    async with stage(kafka.bootstrap_servers, topics, run_worker, tmp_path, workers) as on:
        running = [on.start() for _ in range(workers)]
        async with on.busy():
            for kill in range(kills):
                # At any moment of a round, or of a start, a rebalance or a restore.
                if kill % 3 != 2:
                    await on.follower.advance(moments.randrange(100, 2_000))
                await asyncio.sleep(moments.random() * (0.2 if kill % 3 != 2 else 4))
                victim = moments.randrange(workers)
                running[victim].kill()
                running[victim] = on.start()
            await on.follower.advance_each(50)
        await on.settle()
        for worker in running:
            assert await asyncio.to_thread(worker.terminate) == 0
        await on.verdict()
