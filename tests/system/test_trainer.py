"""One trainer publishes at a time, each model once, whoever is killed or frozen."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from click.testing import CliRunner
from support import trainer as counting
from support.broker import Message, environment, produce, read_to_end
from support.learned import TEXT
from support.trainer import GATE, GATED_DAY, HELD, TASK, Counting, day_end, example
from support.worker import Worker

from stream_app.cli import main
from stream_app.kafka.topics import TopicPlan, ensure_topics
from stream_app.kafka.topics.grow import grow
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

    def run(*arguments: str, command: Sequence[str] = PROGRAM, **variables: str) -> Worker:
        env = environment(kafka.bootstrap_servers, learned, **settings) | variables
        log = tmp_path / f"trainer-{len(started) + 1}.log"
        started.append(Worker(log, env, (*command, *arguments)))
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
    # As `stream-app repartition` leaves it: its settings have the number of before.
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await grow(admin, {learned.clicks: learned.partitions + 1, learned.changelog: 9})
    await admin.close()
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


@pytest.mark.timeout(60)
async def test_until_the_end_it_ends_by_itself_and_what_it_published_is_listed(
    kafka, learned: TopicPlan, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = [Message(b"k", training.encode(record)) for record in days(1, 2)]
    await produce(kafka.bootstrap_servers, learned.training, messages)
    assert await asyncio.to_thread(start("--until-end").exit_code) == 0

    catalogue = tmp_path / "shop.yaml"
    catalogue.write_text(TEXT)
    settings = {
        "training_topic": learned.training,
        "models_topic": learned.models,
        "catalog": catalogue,
    }
    for name, value in environment(kafka.bootstrap_servers, learned, **settings).items():
        monkeypatch.setenv(name, value)
    shown = await asyncio.to_thread(CliRunner().invoke, main, ["models", "list", "--all"])
    assert [line.split()[:3] for line in shown.output.splitlines() if TASK in line] == [
        [TASK, "2*", "live"],
        [TASK, "1", "live"],
    ], shown.stderr

    # The trainer itself learns nothing from samples of another catalogue.
    command = (*PROGRAM[:1], "-m", "stream_app", "trainer", "--until-end", "--no-restart")
    env = environment(kafka.bootstrap_servers, learned, **settings)
    real = start(command=command, **env)
    assert await asyncio.to_thread(real.exit_code) == 0
    assert "All that there is has been learned" in real.text()
    assert len(await read_to_end(kafka.bootstrap_servers, learned.models)) == 2 * 2


@pytest.mark.timeout(120)
async def test_an_operator_rolls_back_unpins_and_releases_while_a_trainer_runs(
    kafka, learned: TopicPlan, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = tmp_path / "shop.yaml"
    catalogue.write_text(TEXT)
    settings = {
        "training_topic": learned.training,
        "models_topic": learned.models,
        "catalog": catalogue,
    }
    for name, value in environment(kafka.bootstrap_servers, learned, **settings).items():
        monkeypatch.setenv(name, value)

    async def send(*numbers: int) -> None:
        messages = [Message(b"k", training.encode(record)) for record in days(*numbers)]
        await produce(kafka.bootstrap_servers, learned.training, messages)

    async def topic() -> dict[bytes, bytes | None]:
        records = await read_to_end(kafka.bootstrap_servers, learned.models)
        return {record.key: record.value for record in records}

    async def in_use(version: int, newest: int) -> None:
        """Wait until this version is in use, and the newest is there."""
        async with asyncio.timeout(SECONDS):
            while True:
                found = await topic()
                there = found.get(snapshot.key(TASK, newest))
                current = found.get(snapshot.current_key(TASK))
                if there and current and snapshot.decode(current).version == version:
                    return
                await asyncio.sleep(0.05)

    async def say(*arguments: str) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, main, ["models", *arguments])
        assert done.exit_code == 0, done.stderr
        return done.output

    trainer = start(**{HELD: "4"})
    await send(1, 2)
    await in_use(2, newest=2)
    assert "pinned to version 1" in await say("rollback", TASK)
    await send(3)
    await in_use(1, newest=3)
    assert "version 3 is in use" in await say("unpin", TASK)
    await send(4)
    await in_use(3, newest=4)
    assert "version 4 of counted is released and in use" in await say("release", TASK)
    await in_use(4, newest=4)

    trainer.kill()
    before = await read_to_end(kafka.bootstrap_servers, learned.models)
    assert await asyncio.to_thread(start("--until-end", **{HELD: "4"}).exit_code) == 0
    # Folded again, with the release, it all comes to what is there.
    assert await read_to_end(kafka.bootstrap_servers, learned.models) == before
