"""From clicks to learned tags: samples in the worker's transactions, models, and tags by them.

Workers are killed on the way: samples are written once, and users' changes form unbroken chains.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.broker import Message, environment, produce, read_to_end
from support.clicks import CATALOGUE, DAY, HOUR, START, click
from support.worker import Worker

from stream_app.domain.changes import TagChange, decode_change, decode_state
from stream_app.engine import load_catalogue
from stream_app.engine.replay import Event, Replay, ReplayRecord
from stream_app.kafka.topics import TopicPlan, ensure_topics
from stream_app.learning.training import DayEnd, Example, Outcome, decode

TRAINER = (sys.executable, "-m", "stream_app", "trainer")
LEARNED = ("likely_to_click", "segments")
SECONDS = 60.0
USERS = 320
DAYS = 16
LEARNING = """
learning:
  max_gap: 2d
  predictions:
    likely_to_click:
      description: Will click within two days.
      features: [clicks_24h, clicks_7d, hours_since_click]
      outcome: clicks_2d > 0
      horizon: 2d
      rate: 1
      bands: {mid: 0.3, high: 0.6, top: 0.9, margin: 0.05}
  segments: {features: [clicks_7d, clicks_24h, hours_since_click], rate: 1, k: [2, 4]}
"""
FEATURES = """features:
  clicks_2d: {count: clicks, window: 2d}
  clicks_7d: {count: clicks, window: 7d}
  hours_since_click: {hours_since: clicks}
"""


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "learned.yaml"
    path.write_text(CATALOGUE.replace("features:\n", FEATURES) + LEARNING)
    return path


@pytest.fixture
async def learned(kafka, plan: TopicPlan) -> TopicPlan:
    """The topics of this test, those of learning among them."""
    plan = replace(plan, training=f"{plan.app_id}-training", models=f"{plan.app_id}-models")
    await ensure_topics({"bootstrap_servers": kafka.bootstrap_servers}, plan)
    return plan


class Shop:
    """A worker and a trainer on the same topics; whatever is started is killed in the end."""

    def __init__(self, servers: str, plan: TopicPlan, catalogue: Path, folder: Path) -> None:
        self.servers, self.plan = servers, plan
        self._folder = folder
        self._started: list[Worker] = []
        self._env = environment(
            servers,
            plan,
            catalog=catalogue,
            clock="event",
            retention_days=36_500,
            session_timeout_s=6,
            drain_timeout_s=5,
            training_topic=plan.training,
            models_topic=plan.models,
        )

    def start(self, *command: str) -> Worker:
        log = self._folder / f"process-{len(self._started) + 1}.log"
        self._started.append(Worker(log, self._env, *((command,) if command else ())))
        return self._started[-1]

    def ask(self, *arguments: str) -> Any:
        """What a command prints as JSON."""
        command = [sys.executable, "-m", "stream_app", *arguments, "--format", "json"]
        found = subprocess.run(command, env=self._env, capture_output=True, check=False, timeout=60)
        assert found.returncode == 0, found.stderr.decode()
        return json.loads(found.stdout)

    def close(self) -> None:
        for process in self._started:
            process.kill()

    async def send(self, events: Sequence[tuple[str, int, bytes]]) -> None:
        now = START + 400 * DAY
        messages = [Message(user.encode(), value, now) for user, _, value in events]
        await produce(self.servers, self.plan.clicks, messages)

    async def changes(self) -> list[TagChange]:
        return [decode_change(r.value) for r in await read_to_end(self.servers, self.plan.tags)]

    async def training(self) -> list[Example | Outcome | DayEnd]:
        return [decode(r.value) for r in await read_to_end(self.servers, self.plan.training)]


@pytest.fixture
def shop(kafka, learned: TopicPlan, catalogue: Path, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(kafka.bootstrap_servers, learned, catalogue, tmp_path)
    yield made
    made.close()


def visits(first: int, last: int) -> list[tuple[str, int, bytes]]:
    """Clicks by time: some users come nearly every day, others hardly ever."""
    found = []
    for day in range(first, last):
        rng = random.Random(day)
        for n in range(USERS):
            if rng.random() < (n + 1) / USERS:
                at = START + day * DAY + rng.randrange(8 * HOUR)
                found.append((at, f"user-{n}"))
    return [(user, at, click(user, at * 100 + i, at)) for i, (at, user) in enumerate(sorted(found))]


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SECONDS):
        while not await found():
            await asyncio.sleep(0.1)


def offline(catalogue: Path, events: Sequence[tuple[str, int, bytes]], parts: int) -> Counter:
    """What a fold without any broker samples of the same events, scores aside."""
    program = load_catalogue(catalogue).compile()
    replay = Replay(program, parts)
    records = [
        # Of records in files the events' own time is all that there is.
        Event(0, user, at, ReplayRecord(value, at, n))
        for n, (user, at, value) in enumerate(events)
    ]
    return Counter(
        plain(decode(value)) for done in replay.feed(records) for _, value in done.step.training
    )


def plain(record: Example | Outcome | DayEnd) -> str:
    """A record without what depends on the models of the moment, and on a partition's feed."""
    if isinstance(record, Example):
        held = {name: sampled.held_out for name, sampled in record.tasks.items()}
        told = [record.user_id, record.at, record.values, held, record.segment]
    elif isinstance(record, Outcome):
        told = [record.user_id, record.at, record.task, record.sampled_at, record.value]
    else:
        told = [record.partition, record.at, record.columns, record.users]
    return json.dumps([type(record).__name__, *told])


@pytest.mark.timeout(180)
async def test_samples_become_models_and_models_tags_whoever_is_killed(
    shop: Shop, catalogue: Path
) -> None:
    worker, trainer = shop.start(), shop.start(*TRAINER)
    first, second = visits(0, DAYS), visits(DAYS, DAYS + 4)
    await asyncio.to_thread(worker.wait_ready)
    await shop.send(first)

    async def predicted() -> bool:
        assert worker.alive, worker.tail()
        assert trainer.alive, trainer.tail()
        return {"prediction", "segment"} <= {change.cls for change in await shop.changes()}

    await until(predicted)
    worker.kill()
    worker = shop.start()
    await asyncio.to_thread(worker.wait_ready)
    await shop.send(second)
    expected = offline(catalogue, first + second, shop.plan.partitions)

    async def sampled() -> bool:
        assert worker.alive, worker.tail()
        return sum(expected.values()) <= len(await shop.training())

    await until(sampled)
    assert await asyncio.to_thread(worker.terminate, 15) == 0
    assert await asyncio.to_thread(trainer.terminate, 15) == 0
    assert Counter(map(plain, await shop.training())) == expected
    check_chains(await shop.changes())
    await check_explained(shop)
    await asyncio.to_thread(check_segments, shop)
    await check_reasons(shop)


def check_chains(changes: Sequence[TagChange]) -> None:
    """Each user's versions run from 1 without a gap; each change starts from what was left."""
    by_user: dict[str, list[TagChange]] = defaultdict(list)
    for change in changes:
        by_user[change.user_id].append(change)
    for chain in by_user.values():
        assert [change.version for change in chain] == list(range(1, len(chain) + 1))
        left: dict[str, object] = {}
        for change in chain:
            assert change.previous == left.get(change.tag)
            left[change.tag] = change.value


async def check_reasons(shop: Shop) -> None:
    changes = [c for c in await shop.changes() if c.tag == "likely_to_click"]
    assert {change.source.kind for change in changes} == {"model"}
    assert {change.value for change in changes} >= {"low", "top"}
    for change in changes:
        if change.valid_until is None:
            assert change.value is None
        else:
            # Whole seconds, and none too early.
            assert 0 <= change.valid_until - change.occurred_at - 2 * DAY < 1_000
    told = [reason for change in changes for reason in change.because]
    assert {reason.feature for reason in told} <= {"clicks_24h", "clicks_7d", "hours_since_click"}
    assert all(reason.contribution is not None for reason in told)
    scored = [
        sampled
        for record in await shop.training()
        if isinstance(record, Example)
        for sampled in record.tasks.values()
        if sampled.score is not None
    ]
    assert scored
    states = [decode_state(r.value) for r in await read_to_end(shop.servers, shop.plan.tag_state)]
    assert any("likely_to_click" in state.tags for state in states)
    assert any("segments" in state.tags for state in states)


async def check_explained(shop: Shop) -> None:
    """What is said of users from Kafka alone is what the worker published of them."""
    states = [decode_state(r.value) for r in await read_to_end(shop.servers, shop.plan.tag_state)]
    published = {state.user_id: state.tags for state in states}
    for user in ("user-40", "user-319"):
        told = await asyncio.to_thread(shop.ask, "models", "explain", user)
        [prediction] = told["predictions"]
        verdicts = [prediction["verdict"], told["segments"]["verdict"]]
        now = {v["tag"]: v["now"]["value"] for v in verdicts if v["now"]}
        assert now == {t: s["value"] for t, s in published[user].items() if t in LEARNED}
        check_band(prediction)
        added = sum(family["contribution"] for family in prediction["logit"]["families"])
        assert added == pytest.approx(prediction["logit"]["value"] - prediction["logit"]["typical"])
        near = told["segments"]["distances"][0]
        assert near["distance"] <= told["segments"]["bound"]
        assert near["label"]


def check_band(prediction: dict[str, Any]) -> None:
    """The band that a user would be in has his probability, up to the margin around its edges."""
    would_be, margin = prediction["verdict"]["would_be"], prediction["margin"]
    if prediction["held_out"]:
        assert would_be is None
        return
    edges = [0.0, *prediction["edges"].values(), 1.0]
    band = ("low", "mid", "high", "top").index(would_be)
    assert edges[band] - margin <= prediction["probability"] <= edges[band + 1] + margin


def check_segments(shop: Shop) -> None:
    """Segments in use have names and together nearly all users; of models all are listed."""
    told = shop.ask("segments")
    assert {segment["id"] for segment in told["segments"]} >= {"s1", "s2"}
    assert all(segment["name"] and segment["since"] for segment in told["segments"])
    assert 0.9 < sum(segment["share"] for segment in told["segments"]) <= 1
    listed = {row["task"]: row for row in shop.ask("models", "list")}
    assert listed.keys() >= {"likely_to_click", "segments", "population"}
    assert listed["segments"]["version"] == told["version"]
    assert listed["likely_to_click"]["state"] == "live"
    assert listed["likely_to_click"]["metrics"]["examples"] > 0
