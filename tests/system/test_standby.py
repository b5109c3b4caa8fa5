"""Who stands by for a partition goes on with it at once, and loses and doubles nothing."""

from __future__ import annotations

import asyncio
import re
from typing import NamedTuple

import pytest
from support.stage import Stage, stage
from support.worker import Worker

#: As every worker here is started.
STANDBY = {"standby_replicas": 1}


class TakenOver(NamedTuple):
    """What a worker says of a partition of which it had a copy."""

    offset: int
    read: int


def taken_over(worker: Worker) -> dict[int, TakenOver]:
    """By partition, the last time that `worker` read on from a copy."""
    line = r"Partition (\d+): read on from offset (\d+) .* standby copy stands: (\d+) records"
    found = re.findall(line, worker.text())
    return {int(number): TakenOver(int(offset), int(read)) for number, offset, read in found}


def owned(worker: Worker) -> set[int]:
    """The partitions that the group gave it last."""
    found = re.findall(r"Generation \d+: partitions (none|\[.*\])", worker.text())
    return set(map(int, re.findall(r"\d+", found[-1]))) if found else set()


async def at_rest(on: Stage, *workers: Worker) -> None:
    """Return when these share all partitions and stand by for each other's, near the end."""

    def near() -> bool:
        return all(
            worker.metric("stream_app_standby_partitions") == 2
            and worker.metric("stream_app_standby_lag") < 500
            for worker in workers
        )

    everything = set(range(on.plan.partitions))
    await on.follower.until(lambda: [len(owned(one)) for one in workers] == [2] * len(workers))
    assert set().union(*map(owned, workers)) == everything
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(near):
            await asyncio.sleep(0.1)


@pytest.mark.timeout(240)
async def test_a_copy_goes_on_where_its_owner_was_killed_or_left(
    kafka, topics, run_worker, tmp_path
) -> None:
    async with stage(kafka.bootstrap_servers, topics, run_worker, tmp_path, 21) as on:
        killed = await on.started(**STANDBY)
        async with on.busy():
            # Its copies lie in local stores, and most of their rows only there.
            folder = tmp_path / "leaving"
            leaving = await on.started(**STANDBY, max_resident_users=100, state_dir=folder)
            await at_rest(on, killed, leaving)
            await on.follower.advance_each(300)
            lost = owned(killed)
            killed.kill()
            await on.follower.until(lambda: taken_over(leaving).keys() >= lost)
            for number in lost:
                copy = taken_over(leaving)[number]
                # It had the time of a session to come to the end.
                assert copy.offset > 1_000
                assert copy.read <= 20, copy

            last = await on.started(**STANDBY)
            await at_rest(on, leaving, last)
            # Nobody has read a changelog from its beginning for that.
            assert taken_over(last).keys() == owned(last)
            kept = owned(last)
            assert await asyncio.to_thread(leaving.terminate) == 0
            everything = set(range(topics.partitions))
            await on.follower.until(lambda: taken_over(last).keys() == everything)
            for number in everything - kept:
                copy = taken_over(last)[number]
                assert copy.read < copy.offset / 5, copy
            await on.follower.advance_each(200)
        await on.settle()
        assert await asyncio.to_thread(last.terminate) == 0
        await on.verdict()
