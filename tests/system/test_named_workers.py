"""Workers with a name in the group: what STREAM_APP_INSTANCE_ID changes about a restart."""

from __future__ import annotations

import asyncio

import pytest
from support.stage import Stage, stage
from support.worker import Worker

#: Longer than a restart takes, on a slow machine too.
SESSION = {"session_timeout_s": 60}


async def started(on: Stage, name: str) -> Worker:
    return await on.started(instance_id=name, **SESSION)


async def assignments(worker: Worker) -> float:
    return await asyncio.to_thread(worker.metric, "stream_app_rebalances_total")


@pytest.mark.timeout(240)
async def test_who_comes_back_under_its_name_disturbs_nobody(
    kafka, topics, run_worker, tmp_path
) -> None:
    async with stage(kafka.bootstrap_servers, topics, run_worker, tmp_path, 21) as on:
        first = await started(on, "worker-0")
        async with on.busy():
            second = await started(on, "worker-1")
            await on.follower.advance_each(100)

            # One that stops, the group's leader, and one that is killed.
            before = await assignments(first)
            assert await asyncio.to_thread(second.terminate) == 0
            second = await started(on, "worker-1")
            await on.follower.advance_each(100)
            assert await assignments(first) == before

            before = await assignments(second)
            assert await asyncio.to_thread(first.terminate) == 0
            first = await started(on, "worker-0")
            await on.follower.advance_each(100)
            assert await assignments(second) == before

            before = await assignments(first)
            second.kill()
            second = await started(on, "worker-1")
            await on.follower.advance_each(100)
            assert await assignments(first) == before
        await on.settle()
        for worker in (first, second):
            assert await asyncio.to_thread(worker.terminate) == 0
        await on.verdict()


@pytest.mark.timeout(240)
async def test_of_two_with_one_name_the_older_writes_nothing_more(
    kafka, topics, run_worker, tmp_path
) -> None:
    async with stage(kafka.bootstrap_servers, topics, run_worker, tmp_path, 22) as on:
        older = await started(on, "worker-0")
        async with on.busy():
            await on.follower.advance_each(100)
            newer = await started(on, "worker-0")
            await on.follower.until(lambda: "ProducerFenced" in older.text())
            older.kill()
            await asyncio.to_thread(newer.wait_ready)
            await on.follower.advance_each(100)
        await on.settle()
        assert await asyncio.to_thread(newer.terminate) == 0
        await on.verdict()
