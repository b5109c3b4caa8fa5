"""The active trainer folds everything from the first record kept and publishes each model once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from support import apprentice
from support.logs import FakeLog, FakeWriter, Topic, until
from support.trainer import TASK, Counting, day_end, example, model

from stream_app.domain.clock import DAY
from stream_app.health import Health
from stream_app.kafka.errors import Fatal, Refusal
from stream_app.kafka.model_registry.pins import pin, pin_key
from stream_app.kafka.model_training import training
from stream_app.kafka.model_training.around import Around, Fold
from stream_app.kafka.model_training.training import Training
from stream_app.kafka.partition.rounds import Clocks
from stream_app.learning.drift import Alarm
from stream_app.learning.snapshot import Model, current_key, decode, encode, key
from stream_app.learning.trainer import Trainer
from stream_app.learning.training import DayEnd, Example, Record, Release
from stream_app.learning.training import encode as write
from stream_app.metrics import Metrics
from stream_app.settings import Settings

CURRENT = current_key(TASK)


class Stage:
    """Topics in memory, and trainers that come one after another."""

    def __init__(self, *records: Record | bytes, first: int = 0) -> None:
        self.training, self.models = Topic(first=first), Topic()
        self.send(*records)
        self.metrics = Metrics(CollectorRegistry())
        self.health = Health(60_000)
        self.writers: list[FakeWriter] = []
        self.fold: Callable[[], Fold] = Counting
        self.seconds = 1.0

    def send(self, *records: Record | bytes) -> None:
        for record in records:
            self.training.add(b"k", record if isinstance(record, bytes) else write(record))

    def trainer(self, *, rebuild: bool = False) -> Training:
        around = Around(
            settings=Settings(),
            metrics=self.metrics,
            health=self.health,
            clocks=Clocks(wall_ms=lambda: 1_000, seconds=lambda: self.seconds),
            make_fold=self.fold,
            new_log=self._log,
            new_writer=self._writer,
        )
        return Training(around, rebuild=rebuild)

    async def learn(self, *, rebuild: bool = False) -> None:
        """One trainer's life, until it has folded all that there is."""
        async with asyncio.timeout(30):
            assert await self.trainer(rebuild=rebuild).run(until_end=True)

    def _log(self, name: str) -> FakeLog:
        return FakeLog({"training": self.training, "models": self.models}[name], name)

    def _writer(self) -> FakeWriter:
        self.writers.append(FakeWriter({"models": self.models}))
        return self.writers[-1]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"stream_app_{name}", labels)

    def in_use(self) -> int:
        """The version that workers decide by."""
        return decode(self.published()[CURRENT] or b"").version

    def published(self) -> dict[bytes, bytes | None]:
        return {key: value for _, key, value in self.models.records}


def days(*numbers: int) -> list[Record]:
    return [record for day in numbers for record in (example(day), day_end(day))]


async def test_each_model_is_a_transaction_of_its_own() -> None:
    on = Stage(*days(1, 2))
    await on.learn()
    one, two = encode(model(1, 1.0)), encode(model(2, 2.0))
    assert on.writers[0].transactions == [
        [(key(TASK, 1), one, []), (CURRENT, one, [])],
        [(key(TASK, 2), two, []), (CURRENT, two, [])],
    ]
    assert on.writers[0].closed
    assert on.metric("models_published_total", task=TASK) == 2
    assert on.in_use() == 2
    assert on.metric("training_records_total", kind="day") == 2
    assert on.metric("training_records_total", kind="example") == 2


async def test_the_next_one_folds_anew_and_writes_only_what_is_missing() -> None:
    on = Stage(*days(1, 2))
    await on.learn()
    on.send(*days(3))
    await on.learn()
    assert [len(writer.transactions) for writer in on.writers] == [2, 1]
    assert on.published()[CURRENT] == encode(model(3, 3.0))
    assert on.metric("models_differing_total", task=TASK) is None


async def test_the_version_ten_back_is_deleted() -> None:
    on = Stage(*days(*range(1, 13)))
    await on.learn()
    left = [name for name, value in on.published().items() if value is not None]
    assert sorted(left) == sorted([CURRENT, *(key(TASK, n) for n in range(3, 13))])
    await on.learn()
    assert on.writers[1].transactions == []


class Heavier(Counting):
    """Learns with other weights: as if the catalogue had changed."""

    def take(self, record: Record) -> list[Model]:
        return [model(found.version, 0.5 + self.examples) for found in super().take(record)]


async def test_other_content_is_told_and_stays_until_a_rebuild() -> None:
    on = Stage(*days(1, 2))
    await on.learn()
    before = on.published()
    on.fold = Heavier
    await on.learn()
    assert on.published() == before
    assert on.metric("models_differing_total", task=TASK) == 2

    on.send(*days(3))
    await on.learn()
    assert on.published() == before | {
        key(TASK, 3): encode(model(3, 3.5)),
        CURRENT: encode(model(3, 3.5)),
    }

    await on.learn(rebuild=True)
    # What is in use is not replaced by older ones meanwhile.
    assert [[r.key for r in t] for t in on.writers[-1].transactions] == [
        [key(TASK, 1)],
        [key(TASK, 2)],
    ]
    assert on.published()[key(TASK, 1)] == encode(model(1, 1.5))
    await on.learn(rebuild=True)
    assert on.writers[-1].transactions == []


async def test_retention_never_brings_an_old_number_back_into_use(caplog) -> None:
    on = Stage(*days(1, 2, 3))
    await on.learn()
    before = on.published()
    # The first two days are gone: what is left comes to version 1, with other content.
    on.training = Topic(first=4)
    on.send(*days(3))
    await on.learn()
    assert on.published() == before
    assert "What training held before offset 4 was deleted" in caplog.text
    assert f"Version 3 of {TASK} is published, but" in caplog.text

    await on.learn(rebuild=True)
    one = encode(model(1, 1.0))
    assert {name: value for name, value in on.published().items() if value} == {
        key(TASK, 1): one,
        CURRENT: one,
    }
    assert on.in_use() == 1


async def test_what_cannot_be_read_is_counted_told_with_its_offset_and_skipped(caplog) -> None:
    on = Stage(example(1), b"no json", b"{}", day_end(1))
    await on.learn()
    assert on.metric("training_refused_total") == 2
    assert "Offset 1 of training is skipped" in caplog.text
    assert "Offset 2 of training is skipped" in caplog.text
    assert on.published()[CURRENT] == encode(model(1, 1.0))


class Holding(Counting):
    """Holds back every second version."""

    def take(self, record: Record) -> list[Model]:
        return [
            replace(found, state="live" if found.version % 2 else "held")
            for found in super().take(record)
        ]


async def test_a_version_that_is_held_back_is_published_and_not_put_into_use() -> None:
    on = Stage(*days(1, 2))
    on.fold = Holding
    await on.learn()
    one = encode(model(1, 1.0))
    assert on.published()[key(TASK, 1)] == on.published()[CURRENT] == one
    assert on.published()[key(TASK, 2)] is not None
    assert on.in_use() == 1

    on.send(*days(3, 4))
    await on.learn()
    on.training = Topic()
    on.send(*days(1, 2))
    await on.learn(rebuild=True)
    left = {name: value for name, value in on.published().items() if value}
    assert sorted(left) == [key(TASK, 1), key(TASK, 2), CURRENT]
    assert left[CURRENT] == one


class OtherHolding(Holding):
    """As `Holding`, with another threshold."""

    def take(self, record: Record) -> list[Model]:
        return [replace(found, thresholds=[0.25]) for found in super().take(record)]


async def test_a_rebuild_puts_what_is_in_use_anew_though_held_ones_came_after_it() -> None:
    on = Stage(*days(1, 2))
    on.fold = Holding
    await on.learn()
    on.fold = OtherHolding
    await on.learn(rebuild=True)
    assert on.published()[CURRENT] == on.published()[key(TASK, 1)]
    assert on.published()[CURRENT] == encode(replace(model(1, 1.0), thresholds=[0.25]))


class Releasing(Holding):
    """Has one version that is held live when it is told to."""

    def take(self, record: Record) -> list[Model]:
        if isinstance(record, Release):
            return [model(record.version, float(record.version))]
        return super().take(record)


async def test_a_released_version_comes_into_use_once_and_folded_again_is_the_same() -> None:
    on = Stage(*days(1, 2))
    on.fold = Releasing
    await on.learn()
    assert on.in_use() == 1
    on.send(Release(TASK, 2, 2 * DAY))
    await on.learn()
    two = encode(model(2, 2.0))
    assert on.writers[-1].transactions == [[(key(TASK, 2), two, []), (CURRENT, two, [])]]
    assert on.metric("training_records_total", kind="release") == 1
    await on.learn()
    assert on.writers[-1].transactions == []
    await on.learn(rebuild=True)
    assert on.writers[-1].transactions == []
    assert on.metric("models_differing_total", task=TASK) is None


async def test_a_pin_set_while_it_runs_counts_from_the_next_version_on() -> None:
    on = Stage(*days(1, 2))
    trainer = on.trainer()
    running = asyncio.create_task(trainer.run())
    await until(lambda: on.metric("models_published_total", task=TASK) == 2)
    one = encode(model(1, 1.0))
    on.models.add(pin_key(TASK), pin(1))
    # Without the pin's own record of what is in use: the trainer repairs it.
    await until(lambda: on.published()[CURRENT] == one)
    on.send(*days(3))
    await until(lambda: on.metric("models_published_total", task=TASK) == 3)
    assert on.published()[CURRENT] == one
    assert on.in_use() == 1
    on.models.add(pin_key(TASK), None)
    await until(lambda: on.published()[CURRENT] == encode(model(3, 3.0)))
    trainer.stop()
    await running


async def test_a_pin_set_while_no_trainer_ran_holds_and_what_is_in_use_is_repaired() -> None:
    on = Stage(*days(1, 2))
    await on.learn()
    on.models.add(pin_key(TASK), pin(1))
    on.send(*days(*range(3, 15)))
    await on.learn()
    published = on.published()
    assert published[CURRENT] == published[key(TASK, 1)] == encode(model(1, 1.0))
    assert published[key(TASK, 2)] is None
    assert published[key(TASK, 14)] is not None


async def test_it_goes_on_from_what_is_published_unless_it_is_a_rebuild() -> None:
    on = Stage(*days(1))
    await on.learn()
    folds: list[Counting] = []

    def make() -> Counting:
        folds.append(Counting())
        return folds[-1]

    on.fold = make
    await on.learn()
    await on.learn(rebuild=True)
    assert [fold.resumed for fold in folds] == [[model(1, 1.0)], []]


class Foreign(Counting):
    def take(self, record: Record) -> list[Model]:
        self.foreign += isinstance(record, Example)
        return super().take(record)


async def test_examples_of_other_features_are_counted() -> None:
    on = Stage(*days(1, 2))
    on.fold = Foreign
    await on.learn()
    assert on.metric("training_foreign_total") == 2


class Drifting(Counting):
    def take(self, record: Record) -> list[Model]:
        if isinstance(record, DayEnd):
            self.alarms.append(Alarm("views_7d", 9, 2, 0.4, 0.1, 5.0))
        return super().take(record)


async def test_drift_is_told_when_it_is_new_and_not_when_it_is_folded_again(caplog) -> None:
    on = Stage(*days(1, 2))
    on.fold = Drifting
    trainer = on.trainer()
    running = asyncio.create_task(trainer.run())
    await until(lambda: all(condition.holds for condition in on.health.ready()))
    assert on.metric("drift_alarms_total", series="views_7d") is None
    on.send(*days(3))
    await until(lambda: on.metric("models_published_total", task=TASK) == 3)
    trainer.stop()
    await running
    assert on.metric("drift_alarms_total", series="views_7d") == 1
    assert "The daily mean of views_7d has moved by 0.4 since 1970-01-03" in caplog.text


@pytest.fixture(scope="module")
def lived() -> list[Record]:
    """Records over three short epochs."""
    declared = apprentice.learning(apprentice.task(), segments=False)
    return list(apprentice.World(declared, users=70).records(48, Trainer(declared, 14)))


@pytest.mark.parametrize("share", [0.2, 0.63, 0.9])
async def test_killed_at_any_record_the_next_one_comes_to_the_same(lived, share: float) -> None:
    declared = apprentice.learning(apprentice.task(), segments=False)

    def stage(*records: Record) -> Stage:
        on = Stage(*records)
        on.fold = lambda: Trainer(declared, 14)
        return on

    at_once, killed = stage(*lived), stage(*lived[: int(share * len(lived))])
    await at_once.learn()
    await killed.learn()
    killed.send(*lived[int(share * len(lived)) :])
    await killed.learn()
    assert [r[1:] for r in killed.models.records] == [r[1:] for r in at_once.models.records]
    assert len(killed.writers[0].transactions) > 0
    assert killed.metric("models_differing_total", task="likely_to_buy") is None


class Infinite(Counting):
    def take(self, record: Record) -> list[Model]:
        return [
            model(found.version, float("inf" if found.version == 1 else 0))
            for found in super().take(record)
        ]


async def test_a_model_that_cannot_be_written_is_counted_and_the_next_one_is() -> None:
    on = Stage(*days(1, 2))
    on.fold = Infinite
    await on.learn()
    assert on.metric("models_refused_total", reason="not encodable") == 1
    assert sorted(on.published()) == [key(TASK, 2), CURRENT]


class Broken(Counting):
    def take(self, record: Record) -> list[Model]:
        raise ZeroDivisionError("learning")


async def test_what_is_published_is_read_after_the_former_one_was_fenced(monkeypatch) -> None:
    on = Stage(*days(1))
    late = encode(model(1, 1.0))

    async def fence(self: FakeWriter, timeout_s: float) -> None:
        # The last that the former one committed.
        on.models.add(key(TASK, 1), late)
        on.models.add(CURRENT, late)

    monkeypatch.setattr(FakeWriter, "open", fence)
    await on.learn()
    assert on.writers[0].transactions == []


async def test_where_learning_fails_a_new_start_would_not_help() -> None:
    on = Stage(*days(1))
    on.fold = Broken
    with pytest.raises(Refusal, match="learning failed at offset 0 of training"):
        await on.learn()
    assert on.writers[0].closed


async def test_a_fenced_one_ends_and_has_written_nothing() -> None:
    on = Stage(*days(1))
    trainer = on.trainer()
    on.writers[0].fenced = True
    with pytest.raises(Fatal, match="ProducerFenced"):
        await trainer.run(until_end=True)
    assert on.models.records == []


async def test_it_goes_on_with_what_comes_until_it_is_stopped() -> None:
    on = Stage(*days(1))
    trainer = on.trainer()
    running = asyncio.create_task(trainer.run())
    await until(lambda: all(condition.holds for condition in on.health.ready()))
    assert not running.done()
    on.send(*days(2))
    await until(lambda: on.metric("models_published_total", task=TASK) == 2)
    waiting = {"topic": "training", "partition": "0"}
    await until(lambda: on.metric("lag", **waiting) == 0)
    assert on.metric("model_version", task=TASK) == 2
    trainer.stop()
    assert await asyncio.wait_for(running, 5) is False
    # Whoever leads now tells both; two that differ would be taken for workers that do.
    assert on.metric("lag", **waiting) is None
    assert on.metric("model_version", task=TASK) is None
    assert on.training.closed == on.training.opened == 1


async def test_before_all_is_folded_it_is_not_ready() -> None:
    on = Stage(*days(1))
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Slow(Counting):
        def take(self, record: Record) -> list[Model]:
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(5)
            return super().take(record)

    on.fold = Slow
    trainer = on.trainer()
    running = asyncio.create_task(trainer.run())
    await until(lambda: on.training.opened)
    assert not all(condition.holds for condition in on.health.ready())
    gate.set()
    await until(lambda: all(condition.holds for condition in on.health.ready()))
    trainer.stop()
    await running


async def test_brokers_that_are_away_are_waited_for(monkeypatch) -> None:
    monkeypatch.setattr(training, "_FIRST_WAIT_S", 0.001)
    on = Stage(*days(1))
    trainer = on.trainer()
    running = asyncio.create_task(trainer.run())
    await until(lambda: on.metric("models_published_total", task=TASK) == 1)
    on.training.away = 3
    await until(lambda: on.metric("reconnects_total") == 3)
    on.send(*days(2))
    await until(lambda: on.metric("models_published_total", task=TASK) == 2)
    await until(lambda: all(condition.holds for condition in on.health.ready()))
    trainer.stop()
    assert await running is False


async def test_the_lag_ends_half_a_minute_after_the_brokers_last_answer(monkeypatch) -> None:
    monkeypatch.setattr(training, "_FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(training, "_LONGEST_WAIT_S", 0.001)
    on, waiting = Stage(*days(1)), {"topic": "training", "partition": "0"}
    trainer = on.trainer()
    running = asyncio.create_task(trainer.run())
    await until(lambda: on.metric("lag", **waiting) == 0)

    async def tried() -> None:
        before = on.metric("reconnects_total") or 0
        await until(lambda: (on.metric("reconnects_total") or 0) > before + 1)

    on.training.away = 1_000_000
    on.seconds += 29
    await tried()
    assert on.metric("lag", **waiting) == 0
    on.seconds += 2
    await tried()
    assert on.metric("lag", **waiting) is None
    on.training.away = 0
    await until(lambda: on.metric("lag", **waiting) == 0)
    trainer.stop()
    await running


async def test_a_question_without_an_answer_does_not_hold_up_its_end(monkeypatch) -> None:
    on = Stage(*days(1))
    asked = asyncio.Event()

    async def end(self: FakeLog) -> int:
        if self.topic == "training":
            asked.set()
            await asyncio.get_running_loop().create_future()
        return 0

    monkeypatch.setattr(FakeLog, "end", end)
    trainer = on.trainer()
    running = asyncio.create_task(trainer.run())
    await asyncio.wait_for(asked.wait(), 5)
    trainer.stop()
    assert await asyncio.wait_for(running, 5) is False
