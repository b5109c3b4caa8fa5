"""One trainer publishes at a time, each model once, whoever is killed or frozen."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support import trainer as counting
from support.broker import Message, environment, produce, read_to_end
from support.trainer import GATE, GATED_DAY, TASK, Counting, day_end, example
from support.worker import Worker

from stream_app.kafka.topics import TopicPlan, ensure_topics
from stream_app.learning import snapshot, training
from stream_app.learning.training import Record

PROGRAM = (sys.executable, counting.__file__)
SECONDS = 30.0

Start = Callable[..., Worker]


@pytest.fixture
async def learned(kafka, plan: TopicPlan) -> TopicPlan:
    """The topics of this test, those of learning among them."""
    plan = replace(plan, training=f"{plan.app_id}-training", models=f"{plan.app_id}-models")
    await ensure_topics({"bootstrap_servers": kafka.bootstrap_servers}, plan)
    return plan


@pytest.fixture
def start(kafka, learned: TopicPlan, tmp_path: Path) -> Iterator[Start]:
    """`start(*arguments, **variables)` starts a trainer; all are killed in the end."""
    started: list[Worker] = []
    settings = {
        "training_topic": learned.training,
        "models_topic": learned.models,
        "session_timeout_s": 6,
        "drain_timeout_s": 5,
    }

    def run(*arguments: str, **variables: str) -> Worker:
        env = environment(kafka.bootstrap_servers, learned, **settings) | variables
        log = tmp_path / f"trainer-{len(started) + 1}.log"
        started.append(Worker(log, env, (*PROGRAM, *arguments)))
        return started[-1]

    yield run
    for trainer in started:
        trainer.kill()


def days(*numbers: int) -> list[Record]:
    return [record for day in numbers for record in (example(day), day_end(day))]


def learn(records: Sequence[Record]) -> list[bytes]:
    """What one fold of all of them publishes."""
    fold = Counting()
    return [snapshot.encode(model) for record in records for model in fold.take(record)]


@pytest.mark.timeout(120)
async def test_one_publishes_at_a_time_whoever_is_killed_or_frozen(
    kafka, learned: TopicPlan, start: Start, tmp_path: Path
) -> None:
    sent: list[Record] = []

    async def send(*numbers: int) -> None:
        records = days(*numbers)
        messages = [Message(b"k", training.encode(record)) for record in records]
        topic = learned.training
        await produce(kafka.bootstrap_servers, topic, messages, transactional_id=learned.app_id)
        sent.extend(records)

    async def published(count: int) -> list[tuple[bytes, bytes | None]]:
        async with asyncio.timeout(SECONDS):
            while True:
                records = await read_to_end(kafka.bootstrap_servers, learned.models)
                if len(records) >= count:
                    return [(record.key, record.value) for record in records]
                await asyncio.sleep(0.05)

    async def says(trainer: Worker, words: str) -> None:
        async with asyncio.timeout(SECONDS):
            while words not in trainer.text():
                assert trainer.alive, trainer.tail()
                await asyncio.sleep(0.02)

    await send(1, 2)
    first = start()
    await published(2 * 2)
    gate = tmp_path / "gate"
    second = start(**{GATE: str(gate)})
    await says(second, "Standing by")
    await asyncio.to_thread(second.wait_ready)
    assert "Leading" not in second.text()

    first.kill()
    await send(3, GATED_DAY - 1)
    await published(4 * 2)
    third = start()
    await says(third, "Standing by")

    await send(GATED_DAY, 6)
    await says(second, "At the gate")
    second.freeze()
    await published(6 * 2)
    gate.touch()
    second.thaw()
    assert await asyncio.to_thread(second.exit_code) == 75
    assert "ProducerFenced" in second.text()

    await send(7)
    await published(7 * 2)
    assert await asyncio.to_thread(third.terminate, 10) == 0
    expected = learn(sent)
    keys = [snapshot.key(TASK, version) for version in range(1, 8)]
    there = await published(7 * 2)
    assert Counter(there) == Counter(zip(keys, expected, strict=True)) + Counter(
        (snapshot.current_key(TASK), value) for value in expected
    )
