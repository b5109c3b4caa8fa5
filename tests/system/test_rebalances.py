"""Partitions move between workers with full queues; a worker that was away is fenced."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

import pytest
from support.stage import Stage, stage
from support.worker import Worker


def restored(worker: Worker) -> Counter[int]:
    """How often a worker has restored each partition."""
    return Counter(int(n) for n in re.findall(r"Partition (\d+): .* restored", worker.text()))


async def queued(on: Stage, worker: Worker, events: int) -> None:
    """Return when so many events wait in the memory of `worker`."""
    async with asyncio.timeout(60):
        while await asyncio.to_thread(worker.metric, "stream_app_queued") < events:
            await asyncio.sleep(0.02)


@pytest.mark.timeout(240)
async def test_partitions_leave_come_back_and_leave_for_good(
    kafka, topics, run_worker, tmp_path
) -> None:
    async with stage(kafka.bootstrap_servers, topics, run_worker, tmp_path, 11) as on:
        first = await on.started()
        async with on.busy():
            await queued(on, first, 500)
            second = await on.started()
            moved = restored(second)
            assert 0 < len(moved) < topics.partitions
            await on.follower.advance_each(200)
            assert await asyncio.to_thread(second.terminate) == 0
            await on.follower.until(lambda: all(restored(first)[n] >= 2 for n in moved))
            await on.follower.advance_each(200)
            await queued(on, first, 500)
            third = await on.started()
            assert await asyncio.to_thread(first.terminate) == 0
            await on.follower.advance_each(200)
            assert set(restored(third)) == set(range(topics.partitions))
        await on.settle()
        assert await asyncio.to_thread(third.terminate) == 0
        # Nobody had to start again for it.
        assert not [worker for worker in (first, second, third) if "Ending:" in worker.text()]
        await on.verdict()


@pytest.mark.timeout(240)
async def test_a_worker_that_was_frozen_beyond_its_session_writes_nothing_more(
    kafka, topics, run_worker, tmp_path
) -> None:
    async with stage(kafka.bootstrap_servers, topics, run_worker, tmp_path, 12) as on:
        frozen = await on.started()
        async with on.busy():
            other = await on.started()
            await queued(on, frozen, 200)
            frozen.freeze()
            # All partitions go on: the other has taken over what the frozen one had.
            everything = set(range(topics.partitions))
            await on.follower.until(lambda: set(restored(other)) == everything)
            await on.follower.advance_each(200)
            joined = frozen.text().count("Generation ")
            frozen.thaw()
            # By which of its next requests it learns of it is chance: that of a transaction (the
            # chaos suite stops one in the middle of one) or a heartbeat.
            await on.follower.until(
                lambda: (
                    "failed and was not committed: ProducerFenced" in frozen.text()
                    or "member_id was not recognized" in frozen.text()
                )
            )
            # It is back by itself, with nothing of what it had in memory.
            await on.follower.until(lambda: frozen.text().count("Generation ") > joined)
            await asyncio.to_thread(frozen.wait_ready)
            await on.follower.advance_each(200)
        await on.settle()
        for worker in (frozen, other):
            assert await asyncio.to_thread(worker.terminate) == 0
        await on.verdict()
