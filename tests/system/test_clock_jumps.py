"""The wall clock of a worker is set, forwards and back, by hours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.broker import environment, read_to_end
from support.checker import check_dead_letters, check_tags, check_truth, check_values, replayed
from support.readiness import ANSWER, says
from support.skew import Skew
from support.stage import HOUR_MS, Stage, stage
from support.worker import Worker

from stream_app.kafka.topics import TopicPlan

HOURS = (5, -30, 0)
#: The watchdog and the housekeeping look around once a second each.
LOOK_S = 1.5


@pytest.fixture
def skew(tmp_path: Path) -> Skew:
    return Skew(tmp_path / "skew")


@pytest.fixture
def run_skewed(skew: Skew, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """As `run_worker`, of whom `skew` sets the clock."""
    started: list[Worker] = []

    def run(servers: str, plan: TopicPlan, *, ready: bool, **settings: object) -> Worker:
        env = environment(servers, plan, **settings) | skew.environment
        started.append(Worker(tmp_path / f"worker-{len(started) + 1}.log", env))
        return started[-1]

    yield run
    for worker in started:
        worker.kill()


@pytest.mark.timeout(180)
async def test_a_clock_that_is_set_loses_nothing_changes_no_feature_and_ends_nobody(
    kafka, topics, skew: Skew, run_skewed, tmp_path: Path
) -> None:
    async with stage(kafka.bootstrap_servers, topics, run_skewed, tmp_path, 81) as on:
        worker = await on.started(clock="wall", session_timeout_s=30)
        await follows_the_clock(on)
        begun = len(worker.text())
        for hours in HOURS:
            skew.set(hours * 3_600)
            await on.feeder.send(1_000)
            # It has read all, so that the wall clock moves time.
            await on.settle()
            await asyncio.sleep(LOOK_S)
            await says(worker, ANSWER, 10)
            assert (await asyncio.to_thread(worker.get, "/livez"))[0] == 200
        await on.feeder.send(1_000)
        await on.settle()
        said = worker.text()[begun:]
        assert "Ending:" not in said, said
        assert said.count("The wall clock was set by") == len(HOURS)
        assert await asyncio.to_thread(worker.terminate) == 0
        await verdict(on)


async def follows_the_clock(on: Stage) -> None:
    """Return when the wall clock has moved the time of every partition."""
    await on.feeder.send(500)
    await on.settle()
    async with asyncio.timeout(60):
        while not all(right_now(loader.meta.time) for loader in on.follower.loaders if loader.meta):
            await on.feeder.send(500)
            await on.settle()


def right_now(at_ms: int) -> bool:
    """Whether a time is that of these minutes."""
    now_ms = time.time() * 1_000
    return now_ms - 120_000 < at_ms < now_ms


async def verdict(on: Stage) -> None:
    """All is counted once, and time is where it was when the clock was still right."""
    committed = on.follower.finish()
    assert all(right_now(part.time) for part in committed)
    check_truth(committed, on.traffic.truth)
    replay = await asyncio.to_thread(replayed, on.program, on.feeder.sent, on.plan.partitions)
    check_values(committed, replay, replay.newest + 3 * HOUR_MS)
    check_tags(await on.consumer(), await read_to_end(on.servers, on.plan.tag_state))
    letters = await read_to_end(on.servers, on.plan.dead_letters)
    check_dead_letters(letters, on.feeder.refused)
