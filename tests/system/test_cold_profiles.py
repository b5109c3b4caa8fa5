"""Most profiles are on disk: stops, kills and moves of partitions lose and double nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from support.disk import Disk, SmallDisk, disk_for
from support.stage import stage
from support.worker import Worker

MEGABYTES = 96
NO_SPACE = "No space left on device"


@pytest.mark.timeout(200)
async def test_what_lies_in_local_stores_is_as_good_as_memory(
    kafka, topics, run_worker, tmp_path
) -> None:
    async with stage(kafka.bootstrap_servers, topics, run_worker, tmp_path, 9) as on:
        # Of a few dozen users on all partitions, a worker keeps six in memory.
        one = {"max_resident_users": 6, "state_dir": tmp_path / "one"}
        other = {"max_resident_users": 1, "state_dir": tmp_path / "other"}
        first = on.start(**one)
        async with on.busy():
            # The first commit of a store begins its first checkpoint.
            await on.follower.advance_each(100)
            await until(lambda: durable(tmp_path / "one") == on.plan.partitions)
            # Long before what is written fills a buffer.
            assert on.follower.committed() < 20_000
            first.kill()
            first = await on.started(**one)
            assert first.text().count("where its local store stands") == on.plan.partitions
            await on.follower.advance(400)
            assert await asyncio.to_thread(first.terminate) == 0
            first = await on.started(**one)
            assert "where its local store stands" in first.log.read_text()
            await on.follower.advance_each(50)
            second = await on.started(**other)
            await on.follower.advance_each(50)
            # Its partitions go to the first, which had them before.
            assert await asyncio.to_thread(second.terminate) == 0
            await on.follower.advance_each(50)
        await on.settle()
        assert await asyncio.to_thread(first.terminate) == 0
        await on.verdict()


@pytest.mark.timeout(200)
async def test_a_full_disk_under_local_stores_ends_the_worker_and_loses_nothing(
    kafka, topics, run_worker, tmp_path
) -> None:
    folder = tmp_path / "state"
    bound = {"max_resident_users": 6, "state_dir": folder}
    async with stage(kafka.bootstrap_servers, topics, run_worker, tmp_path, 17) as on:
        with disk_for(folder, MEGABYTES, lambda: worker.pid) as disk:
            worker = await on.started(**bound)
            disk.fill()
            await on.feeder.send(4_000)
            # It ends, and whatever starts it again meets the same until there is space.
            await until(lambda: ended(worker, disk))
            assert on.follower.committed() < 4_000
            disk.free()
            await on.settle()
            assert await asyncio.to_thread(worker.terminate) == 0
            await on.verdict()


def ended(worker: Worker, disk: Disk) -> bool:
    """Whether it ended for lack of space; without a disk of its own it cannot say so."""
    if isinstance(disk, SmallDisk):
        said = worker.text()
        return "It is a copy of the changelog" in said and said.count(NO_SPACE) > 1
    return worker.get("/livez")[0] == 0


def durable(folder: Path) -> int:
    """How many stores have a file of rows."""
    return len({file.parent for file in folder.rglob("*.sst")})


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(done):
            await asyncio.sleep(0.02)
