"""SIGTERM ends workers and trainers within ten seconds, whatever they are at."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support import trainer as counting
from support.broker import Message, environment, produce
from support.stage import SETTINGS, stage
from support.trainer import day_end, example
from support.worker import Worker

from stream_app.kafka.embedded import EmbeddedKafka
from stream_app.kafka.ending import RESTARTS, STOPS
from stream_app.kafka.topics import TopicPlan, ensure_topics
from stream_app.learning import training
from stream_app.settings import Settings

#: What supervisors are told to allow, and Kubernetes gives three times over.
GRACE_S = 10.0
#: The drain as it is unless set otherwise. Who ends in haste holds its partitions for a session.
DEFAULTS = {
    "session_timeout_s": 10,
    "drain_timeout_s": Settings.model_fields["drain_timeout_s"].default,
}
#: It left in peace, or said why it could not; never killed.
PEACE, HASTE = 0, 75

Start = Callable[..., Worker]


async def stopped(worker: Worker) -> int:
    """End it by SIGTERM; its exit code, which came in time."""
    begun = time.monotonic()
    code = await asyncio.to_thread(worker.terminate, 3 * GRACE_S)
    took = time.monotonic() - begun
    print(f"{took:.1f} s, exit code {code}")
    assert took < GRACE_S, f"{took:.1f} s:\n{worker.tail()}"
    assert "Traceback" not in worker.text(), worker.tail()
    return code


@pytest.mark.timeout(120)
async def test_a_worker_under_load_leaves_in_peace_and_another_goes_on(
    kafka, topics: TopicPlan, run_worker, tmp_path: Path
) -> None:
    async with stage(kafka.bootstrap_servers, topics, run_worker, tmp_path, 31) as on:
        first = await on.started(**DEFAULTS)
        async with on.busy():
            await on.follower.advance_each(100)
            assert await stopped(first) == PEACE
            second = await on.started(**DEFAULTS)
            await on.follower.advance_each(100)
        await on.settle()
        assert await stopped(second) == PEACE
        await on.verdict()


@pytest.mark.timeout(240)
async def test_a_worker_ends_while_brokers_hang_or_are_away(
    own_kafka: EmbeddedKafka, plan: TopicPlan, run_worker, tmp_path: Path
) -> None:
    servers = own_kafka.bootstrap_servers
    await ensure_topics({"bootstrap_servers": servers}, plan)
    async with stage(servers, plan, run_worker, tmp_path, 32) as on:
        worker = await on.started(**DEFAULTS)
        async with on.busy():
            await on.follower.advance_each(100)
        await on.feeder.send(5_000)
        own_kafka.freeze()
        try:
            assert await stopped(worker) in (PEACE, HASTE)
        finally:
            own_kafka.thaw()
        worker = await on.started(**DEFAULTS)
        async with on.busy():
            await on.follower.advance_each(100)
        await on.feeder.send(5_000)
        own_kafka.kill()
        assert await stopped(worker) in (PEACE, HASTE)
        # It waits for brokers at its start.
        waiting = on.start(**DEFAULTS)
        async with asyncio.timeout(30):
            while "Kafka is away, next try in" not in waiting.text():
                await asyncio.sleep(0.05)
        assert await stopped(waiting) == PEACE
        await asyncio.to_thread(own_kafka.restart)
        worker = await on.started(**SETTINGS)
        await on.settle()
        assert await stopped(worker) == PEACE
        await on.verdict()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("command", ["worker", "trainer"])
def test_who_is_told_to_stop_while_starting_again_leaves_in_peace(command: str) -> None:
    # As it leaves itself to its next start: the signals held back, and eight tries in a row.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        again = subprocess.Popen(
            (sys.executable, "-m", "stream_app", command), env=os.environ | {RESTARTS: "8"}
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        again.terminate()
        assert again.wait(30) == PEACE
    finally:
        again.kill()
        again.wait()


@pytest.fixture
def learned(plan: TopicPlan) -> TopicPlan:
    """The topics of this test, those of learning among them; not created yet."""
    return replace(plan, training=f"{plan.app_id}-training", models=f"{plan.app_id}-models")


@pytest.fixture
def start(learned: TopicPlan, tmp_path: Path) -> Iterator[Start]:
    """`start(servers)` starts a trainer that learns next to nothing; all are killed in the end."""
    started: list[Worker] = []
    topics = {"training_topic": learned.training, "models_topic": learned.models}

    def run(servers: str) -> Worker:
        env = environment(servers, learned, **topics, **DEFAULTS)
        log = tmp_path / f"trainer-{len(started) + 1}.log"
        started.append(Worker(log, env, (sys.executable, counting.__file__)))
        return started[-1]

    yield run
    for trainer in started:
        trainer.kill()


async def samples(servers: str, plan: TopicPlan, first: int, users: int) -> None:
    """Two days with so many samples each."""
    messages = [
        Message(b"k", training.encode(record))
        for day in (first, first + 1)
        for record in (*(example(day, f"u{n}") for n in range(users)), day_end(day))
    ]
    await produce(servers, plan.training, messages)


@pytest.mark.timeout(240)
async def test_a_trainer_ends_at_work_standing_by_and_while_brokers_hang_or_are_away(
    own_kafka: EmbeddedKafka, learned: TopicPlan, start: Start
) -> None:
    servers = own_kafka.bootstrap_servers
    await ensure_topics({"bootstrap_servers": servers}, learned)
    await samples(servers, learned, 1, 100)
    leading = start(servers)
    await asyncio.to_thread(leading.wait_ready)
    spare = start(servers)
    async with asyncio.timeout(60):
        while "Standing by" not in spare.text():
            await asyncio.sleep(0.05)
    assert await stopped(spare) == PEACE
    # At work: more than it folds before the signal comes.
    await samples(servers, learned, 3, 50_000)
    assert await stopped(leading) == PEACE

    async def ready() -> Worker:
        trainer = start(servers)
        await asyncio.to_thread(trainer.wait_ready)
        return trainer

    trainer = await ready()
    own_kafka.freeze()
    try:
        assert await stopped(trainer) in (PEACE, HASTE)
    finally:
        own_kafka.thaw()
    trainer = await ready()
    own_kafka.kill()
    assert await stopped(trainer) in (PEACE, HASTE)
    waiting = start(servers)
    async with asyncio.timeout(30):
        while "Kafka is away, next try in" not in waiting.text():
            await asyncio.sleep(0.05)
    assert await stopped(waiting) == PEACE
