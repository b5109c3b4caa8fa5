"""State that was kept and put back: workers go on as if nothing had been lost."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support import trainer as counting
from support.arrived import on_its_way
from support.broker import Message, environment, produce, read_to_end
from support.clicks import CATALOGUE, START, click, purchase
from support.learned import TEXT
from support.settled import Event, settle
from support.trainer import Counting, day_end, example
from support.worker import Worker

from stream_app.cli import main
from stream_app.engine import load_catalogue
from stream_app.engine.changelog import Loader
from stream_app.kafka.topics import TopicPlan, ensure_topics
from stream_app.learning import snapshot, training

#: Old events under new record times.
SETTINGS = {
    "clock": "event",
    "retention_days": 36_500,
    "session_timeout_s": 6,
    "drain_timeout_s": 3,
}
USERS = [f"user-{number}" for number in range(40)]


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(CATALOGUE)
    return path


def another(plan: TopicPlan, name: str) -> TopicPlan:
    """Another application on the same inputs."""
    app_id = f"{plan.app_id}{name}"
    return replace(
        plan,
        app_id=app_id,
        training=plan.training and f"{app_id}-training",
        models=plan.models and f"{app_id}-models",
        tags=f"{app_id}-tags",
        tag_state=f"{app_id}-tag-state",
        dead_letters=f"{app_id}-dead-letters",
    )


async def send(servers: str, plan: TopicPlan, *numbers: int) -> None:
    """A click and a purchase of every user for each number."""
    clicks = [Message(u.encode(), click(u, n, START + n)) for n in numbers for u in USERS]
    bought = [Message(u.encode(), purchase(u, n, n, START + n)) for n in numbers for u in USERS]
    await produce(servers, plan.clicks, clicks)
    await produce(servers, plan.purchases, bought)


async def state(servers: str, plan: TopicPlan, catalogue: Path) -> dict[str, object]:
    """Features and tags of every user, from the changelog and tag-state; offsets by partition."""
    program = load_catalogue(catalogue).compile()
    found: dict[str, object] = {}
    changelog = await read_to_end(servers, plan.changelog)
    for number in range(plan.partitions):
        loader = Loader(program, number, plan.partitions)
        loader.add([(r.key, r.value) for r in changelog if r.partition == number])
        profiles = loader.finish()
        found |= {user: profiles.read(user) for user in profiles.users}
        assert loader.meta is not None
        found[str(number)] = (loader.meta.next, loader.meta.time)
    for record in await read_to_end(servers, plan.tag_state):
        tags = json.loads(record.value)["tags"] if record.value else {}
        found[f"tags of {record.key.decode()}"] = sorted(tags)
    return found


async def followed(servers: str, plan: TopicPlan, catalogue: Path, spend: float) -> dict:
    """The state once every user has spent so much."""
    async with asyncio.timeout(45):
        while True:
            try:
                found = await state(servers, plan, catalogue)
            except AssertionError:
                found = {}
            spent = [found[user]["spend_30d"] for user in USERS if user in found]
            if spent == [spend] * len(USERS):
                return found
            await asyncio.sleep(0.1)


class Operator:
    """Runs commands with the settings of an application, and its workers."""

    def __init__(self, servers: str, catalogue: Path, run_worker, monkeypatch) -> None:
        self._servers, self._catalogue = servers, catalogue
        self._run_worker, self._monkeypatch = run_worker, monkeypatch

    async def say(self, plan: TopicPlan, *arguments: str) -> Result:
        learned = {"training_topic": plan.training, "models_topic": plan.models}
        more = SETTINGS | {name: topic for name, topic in learned.items() if topic}
        env = environment(self._servers, plan, catalog=self._catalogue, **more)
        for name, value in env.items():
            self._monkeypatch.setenv(name, value)
        return await asyncio.to_thread(CliRunner().invoke, main, arguments)

    async def learn(self, plan: TopicPlan, log: Path) -> Worker:
        """Start a trainer."""
        env = environment(
            self._servers,
            plan,
            catalog=self._catalogue,
            training_topic=plan.training,
            models_topic=plan.models,
            **SETTINGS,
        )
        return Worker(log, env, (sys.executable, counting.__file__))

    async def work(self, plan: TopicPlan) -> Worker:
        return await asyncio.to_thread(
            self._run_worker, self._servers, plan, catalog=self._catalogue, **SETTINGS
        )


@pytest.fixture
def operator(kafka, catalogue: Path, run_worker, monkeypatch) -> Operator:
    return Operator(kafka.bootstrap_servers, catalogue, run_worker, monkeypatch)


@pytest.mark.timeout(180)
async def test_workers_go_on_from_a_backup_as_if_nothing_was_lost(
    kafka, topics: TopicPlan, operator: Operator, catalogue: Path, tmp_path: Path
) -> None:
    servers, kept = kafka.bootstrap_servers, str(tmp_path / "kept")
    worker = await operator.work(topics)
    await send(servers, topics, 1, 2)
    before = await followed(servers, topics, catalogue, 3)
    refused = await operator.say(topics, "backup", kept)
    assert refused.exit_code == 2
    assert "1 member(s) of group" in refused.stderr
    assert await asyncio.to_thread(worker.terminate) == 0

    # One that is killed leaves a member and an open transaction for a while: both are told or
    # waited for. Here it ended in peace.
    done = await operator.say(topics, "backup", kept)
    assert done.exit_code == 0, done.stderr
    assert (await operator.say(topics, "backup", kept)).exit_code == 2

    restored = another(topics, "b")
    done = await operator.say(restored, "restore", kept)
    assert done.exit_code == 0, done.stderr
    assert await state(servers, restored, catalogue) == before
    again = await operator.say(restored, "restore", kept)
    assert again.exit_code == 2
    assert f"not empty: {restored.changelog}, {restored.tag_state}" in again.stderr

    # Events from before the backup come again: the ids that were seen are kept too.
    await send(servers, topics, 2, 3)
    await operator.work(topics)
    await operator.work(restored)
    after = await followed(servers, topics, catalogue, 6)
    assert await followed(servers, restored, catalogue, 6) == after


@pytest.mark.timeout(120)
async def test_what_was_routed_before_is_kept_where_nothing_is_routed_any_more(
    kafka, topics: TopicPlan, operator: Operator, catalogue: Path, tmp_path: Path, monkeypatch
) -> None:
    servers, kept = kafka.bootstrap_servers, str(tmp_path / "kept")
    events = [Event(0, user, click(user, 1, START)) for user in USERS]
    await settle(servers, topics, load_catalogue(catalogue).compile(), events, START)
    await on_its_way(servers, topics, USERS[0])
    monkeypatch.setenv("STREAM_APP_ROUTE", "never")
    done = await operator.say(topics, "backup", kept)
    assert "routed: 1 records" in done.stderr
    other = another(topics, "f")
    other = replace(other, routed=f"{other.app_id}-routed")
    refused = await operator.say(other, "restore", kept)
    assert "1 events on the way to their users: set STREAM_APP_ROUTE=auto" in refused.stderr
    monkeypatch.setenv("STREAM_APP_ROUTE", "auto")
    assert (await operator.say(other, "restore", kept)).exit_code == 0
    worker = await operator.work(other)
    async with asyncio.timeout(30):
        while worker.metric("stream_app_events_total") < 1:
            await asyncio.sleep(0.05)
    assert await asyncio.to_thread(worker.terminate) == 0
    found = await state(servers, other, catalogue)
    clicks = {user: found[user]["clicks_24h"] for user in USERS}
    assert clicks == dict.fromkeys(USERS, 1) | {USERS[0]: 2}


@pytest.mark.timeout(180)
async def test_where_the_inputs_were_lost_too_it_is_said_and_can_be_accepted(
    kafka, topics: TopicPlan, operator: Operator, catalogue: Path, tmp_path: Path
) -> None:
    servers, kept = kafka.bootstrap_servers, str(tmp_path / "kept")
    worker = await operator.work(topics)
    await send(servers, topics, 1, 2)
    before = await followed(servers, topics, catalogue, 3)
    assert await asyncio.to_thread(worker.terminate) == 0
    assert (await operator.say(topics, "backup", kept)).exit_code == 0

    fresh = another(topics, "c")
    fresh = replace(fresh, clicks=f"{fresh.app_id}-clicks", purchases=f"{fresh.app_id}-purchases")
    await ensure_topics({"bootstrap_servers": servers}, fresh)
    refused = await operator.say(fresh, "restore", kept)
    assert refused.exit_code == 2
    assert "offsets of one topic mean nothing in another" in refused.stderr
    assert await read_to_end(servers, fresh.changelog) == []

    done = await operator.say(fresh, "restore", kept, "--new-inputs")
    assert done.exit_code == 0, done.stderr
    found = await state(servers, fresh, catalogue)
    assert {user: found[user] for user in USERS} == {user: before[user] for user in USERS}
    await send(servers, fresh, 2, 3)
    await operator.work(fresh)
    await followed(servers, fresh, catalogue, 6)


async def test_a_damaged_backup_or_other_partitions_write_nothing(
    kafka, topics: TopicPlan, operator: Operator, catalogue: Path, tmp_path: Path
) -> None:
    servers, kept = kafka.bootstrap_servers, tmp_path / "kept"
    worker = await operator.work(topics)
    await send(servers, topics, 1)
    await followed(servers, topics, catalogue, 1)
    assert await asyncio.to_thread(worker.terminate) == 0
    assert (await operator.say(topics, "backup", str(kept))).exit_code == 0

    five = replace(another(topics, "d"), partitions=5)
    five = replace(five, clicks=f"{five.app_id}-clicks", purchases=f"{five.app_id}-purchases")
    refused = await operator.say(five, "restore", str(kept), "--new-inputs")
    assert "the backup is of 4 partitions, the settings want 5" in refused.stderr
    missing = await operator.say(five, "topics")
    assert missing.output.count("to be created") == 7

    other = another(topics, "e")
    file = kept / "changelog-2.gz"
    file.write_bytes(file.read_bytes()[:-20])
    refused = await operator.say(other, "restore", str(kept))
    assert "changelog-2.gz is damaged" in refused.stderr
    (kept / "manifest.json").unlink()
    refused = await operator.say(other, "restore", str(kept))
    assert "is no backup" in refused.stderr


async def records(servers: str, topic: str) -> list[tuple[object, ...]]:
    found = await read_to_end(servers, topic)
    return [(r.key, r.value, r.timestamp, list(r.headers)) for r in found]


async def learned(servers: str, plan: TopicPlan, count: int) -> list[tuple[object, object]]:
    """What the trainer published, once it is so much: models by number, and those in use."""
    async with asyncio.timeout(45):
        while len(found := await read_to_end(servers, plan.models)) < count:
            await asyncio.sleep(0.1)
    assert len(found) == count
    return [(record.key, record.value) for record in found]


@pytest.mark.timeout(180)
async def test_samples_and_models_are_kept_and_a_trainer_goes_on_from_them(
    kafka, plan: TopicPlan, operator: Operator, catalogue: Path, tmp_path: Path
) -> None:
    servers, kept = kafka.bootstrap_servers, str(tmp_path / "kept")
    plan = replace(plan, training=f"{plan.app_id}-training", models=f"{plan.app_id}-models")
    catalogue.write_text(TEXT)
    await ensure_topics({"bootstrap_servers": servers}, plan)

    async def teach(plan: TopicPlan, *days: int) -> None:
        samples = [one for day in days for one in (example(day), day_end(day))]
        messages = [Message(b"k", training.encode(sample)) for sample in samples]
        await produce(servers, plan.training, messages, transactional_id="test")

    await teach(plan, 1, 2)
    trainer = await operator.learn(plan, tmp_path / "trainer-1.log")
    try:
        before = await learned(servers, plan, 2 * 2)
        refused = await operator.say(plan, "backup", kept)
        assert f"1 member(s) of group {plan.app_id}-trainer" in refused.stderr
        assert await asyncio.to_thread(trainer.terminate) == 0
    finally:
        trainer.kill()
    done = await operator.say(plan, "backup", kept)
    assert done.exit_code == 0, done.stderr

    restored = another(plan, "b")
    done = await operator.say(restored, "restore", kept)
    assert done.exit_code == 0, done.stderr
    assert "training: 4 records" in done.stderr
    for one, other in ((plan.training, restored.training), (plan.models, restored.models)):
        assert await records(servers, other) == await records(servers, one) != []

    # What was published is not published again, and the next version counts all samples.
    trainer = await operator.learn(restored, tmp_path / "trainer-2.log")
    try:
        await asyncio.to_thread(trainer.wait_ready)
        await teach(restored, 3)
        after = await learned(servers, restored, 2 * 3)
        assert not await asyncio.to_thread(trainer.metric, "stream_app_models_differing_total")
        assert await asyncio.to_thread(trainer.terminate) == 0
    finally:
        trainer.kill()
    assert after[:4] == before
    newest = Counting()
    published = [
        m for day in (1, 2, 3) for r in (example(day), day_end(day)) for m in newest.take(r)
    ]
    assert after[4][1] == snapshot.encode(published[-1])
