"""A trainer stands by until it may lead, leads until it may no longer, and ends when told to."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from stream_app.domain.errors import DeclarationError
from stream_app.kafka.errors import Fatal, Refusal
from stream_app.kafka.model_training import trainer
from stream_app.kafka.model_training.leadership import Leadership
from stream_app.kafka.model_training.trainer import TrainerService, any_of
from stream_app.kafka.topics import TopicsError
from stream_app.settings import Settings


class FakeLead:
    """In place of the group: a test says who leads."""

    made: ClassVar[list[FakeLead]]

    def __init__(self, settings: Settings) -> None:
        self.leading, self.standing_by = asyncio.Event(), asyncio.Event()
        self.joined = self.left = False
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.made.append(self)

    async def join(self) -> None:
        self.joined = True

    async def watch(self) -> None:
        await self.broken

    async def leave(self) -> None:
        self.left = True

    def lead(self) -> None:
        self.standing_by.clear()
        self.leading.set()

    def follow(self) -> None:
        self.leading.clear()
        self.standing_by.set()


class FakeTraining:
    """Runs until it is stopped, or until `result` is set."""

    made: ClassVar[list[FakeTraining]]

    def __init__(self, around: Any, *, rebuild: bool) -> None:
        self.rebuild = rebuild
        self.result: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.stopped = False
        self.made.append(self)

    def stop(self) -> None:
        self.stopped = True
        if not self.result.done():
            self.result.set_result(False)

    async def run(self, *, until_end: bool) -> bool:
        self.until_end = until_end
        return await self.result


class Stage:
    """A service that runs, and what it made."""

    def __init__(self, **options: Any) -> None:
        self.service = TrainerService(
            Settings(http_port=0, session_timeout_s=6, drain_timeout_s=5), object, **options
        )  # type: ignore[arg-type]
        self.running = asyncio.create_task(self.service.run())

    async def lead(self) -> FakeLead:
        await until(lambda: FakeLead.made and FakeLead.made[-1].joined)
        return FakeLead.made[-1]

    def ready(self) -> bool:
        return all(condition.holds for condition in self.service._health.ready())

    async def end(self) -> None:
        self.service.stop()
        await asyncio.wait_for(self.running, 5)


async def until(holds: Any) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeLead.made, FakeTraining.made = [], []

    async def found(options: Any, plan: Any, only: Any) -> None:
        assert set(only) == {plan.training, plan.models}

    monkeypatch.setattr(trainer, "ensure_topics", found)
    monkeypatch.setattr(trainer, "Leadership", FakeLead)
    monkeypatch.setattr(trainer, "Training", FakeTraining)


async def test_it_folds_only_while_it_leads() -> None:
    on = Stage()
    lead = await on.lead()
    assert not on.ready()
    lead.follow()
    await until(on.ready)
    assert FakeTraining.made == []
    lead.lead()
    await until(lambda: FakeTraining.made)
    lead.follow()
    await until(lambda: FakeTraining.made[0].stopped)
    await until(on.ready)
    lead.lead()
    await until(lambda: len(FakeTraining.made) == 2)
    await on.end()
    assert FakeTraining.made[1].stopped
    assert lead.left


@pytest.mark.parametrize("state", ["nothing", "standing by", "leading"])
async def test_it_stops_when_it_is_told_to(state) -> None:
    on = Stage()
    lead = await on.lead()
    if state == "standing by":
        lead.follow()
        await until(on.ready)
    if state == "leading":
        lead.lead()
        await until(lambda: FakeTraining.made)
    before = time.monotonic()
    await on.end()
    assert time.monotonic() - before < 3
    assert lead.left


async def test_what_fails_in_the_work_or_in_the_group_fails_it() -> None:
    for where in ("work", "group"):
        FakeLead.made, FakeTraining.made = [], []
        on = Stage()
        lead = await on.lead()
        lead.lead()
        await until(lambda: FakeTraining.made)
        failing = FakeTraining.made[0].result if where == "work" else lead.broken
        failing.set_exception(Fatal(where))
        with pytest.raises(Fatal, match=where):
            await asyncio.wait_for(on.running, 5)
        assert lead.left


async def test_where_something_else_is_declared_all_is_folded_anew(monkeypatch, caplog) -> None:
    monkeypatch.setattr(trainer, "_TICK_S", 0.001)
    broken = DeclarationError("shop.yaml", 3, "learning", "is broken", "a section")
    answers: list[bool | Exception] = []

    def reload() -> bool:
        answer = answers.pop() if answers else False
        if isinstance(answer, Exception):
            raise answer
        return answer

    on = Stage(reload=reload)
    (await on.lead()).lead()
    await until(lambda: FakeTraining.made)
    answers.append(broken)
    await until(lambda: "refused, the last good one stays" in caplog.text)
    assert not FakeTraining.made[0].stopped
    answers.append(True)
    await until(lambda: len(FakeTraining.made) == 2)
    assert FakeTraining.made[0].stopped
    assert not FakeTraining.made[1].stopped
    await on.end()


async def test_until_the_end_it_ends_by_itself() -> None:
    on = Stage(until_end=True, rebuild=True)
    (await on.lead()).lead()
    await until(lambda: FakeTraining.made)
    made = FakeTraining.made[0]
    await until(lambda: hasattr(made, "until_end"))
    assert (made.until_end, made.rebuild) == (True, True)
    made.result.set_result(True)
    await asyncio.wait_for(on.running, 5)


async def test_until_the_end_it_does_not_wait_for_ever_behind_another(monkeypatch) -> None:
    monkeypatch.setattr(TrainerService, "_patience_s", 0.01)
    on = Stage(until_end=True)
    (await on.lead()).follow()
    with pytest.raises(Fatal, match="another trainer leads still"):
        await asyncio.wait_for(on.running, 5)


async def test_kafka_is_waited_for_but_misfits_are_refused(monkeypatch) -> None:
    answers: list[Exception | None] = [OSError("away"), TimeoutError(), None]

    async def ensure(options: Any, plan: Any, only: Any) -> None:
        answer = answers.pop(0)
        if answer:
            raise answer

    async def soon(*events: asyncio.Event, seconds: float | None = None) -> None:
        await any_of(*events, seconds=0.001 if seconds else None)

    monkeypatch.setattr(trainer, "ensure_topics", ensure)
    monkeypatch.setattr(trainer, "any_of", soon)
    on = Stage()
    await on.lead()
    await on.end()
    assert answers == []

    answers.append(TopicsError(["models: 4 partition(s), 1 wanted"]))
    with pytest.raises(Refusal, match="1 wanted"):
        await asyncio.wait_for(Stage().running, 5)


async def test_the_group_s_assignment_says_who_leads(monkeypatch) -> None:
    paused: list[object] = []

    class Consumer(SimpleNamespace):
        def pause(self, *parts: object) -> None:
            paused.extend(parts)

    monkeypatch.setattr("stream_app.kafka.model_training.leadership.AIOKafkaConsumer", Consumer)
    lead = Leadership(Settings(app_id="shop"))
    assert lead._consumer.group_id == "shop-trainer"
    assert not lead.leading.is_set()
    assert not lead.standing_by.is_set()
    lead.on_partitions_assigned(["training-0"])
    # A rebalance that changes nothing is no loss.
    lead.on_partitions_revoked(["training-0"])
    assert lead.leading.is_set()
    assert paused == ["training-0"]
    lead.on_partitions_assigned([])
    assert lead.standing_by.is_set()
    assert not lead.leading.is_set()
