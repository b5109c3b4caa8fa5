"""A worker follows the models in use, and no bad one takes the place of a good one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry
from support.logs import FakeLog, Topic, until
from support.trainer import model

from stream_app.kafka.errors import Fatal
from stream_app.kafka.model_registry import models
from stream_app.kafka.model_registry.models import ModelReader
from stream_app.learning.snapshot import Model, current_key, encode, key
from stream_app.metrics import Metrics

NOW = current_key("counted")


class Followed:
    """A reader on a topic in memory, and what it told."""

    def __init__(self, *records: tuple[bytes, bytes | None]) -> None:
        self.topic = Topic(*records)
        self.metrics = Metrics(CollectorRegistry())
        self.told: list[dict[str, int]] = []
        self.failed: list[BaseException] = []
        self.reader = ModelReader(
            lambda: FakeLog(self.topic), 1.0, self.metrics, self._changed, self.failed.append
        )

    def _changed(self, current: Mapping[str, Model]) -> None:
        self.told.append({task: found.version for task, found in current.items()})

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"stream_app_{name}", labels)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.reader.start()
        try:
            yield
        finally:
            await self.reader.stop()
        assert self.failed == []
        assert self.topic.closed == self.topic.opened


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_FIRST_WAIT_S", 0.001)


async def test_what_is_in_use_is_there_after_the_start_told_once() -> None:
    two, other = encode(model(2)), encode(model(7, task="other"))
    on = Followed((NOW, encode(model(1))), (key("counted", 2), two), (NOW, two),
                  (current_key("other"), other))  # fmt: skip
    async with on.running():
        assert on.told == [{"counted": 2, "other": 7}]
        assert on.reader.current["counted"] == model(2)
        assert on.metric("model_version", task="other") == 7
        created = on.metric("model_created_timestamp_seconds", task="other")
        assert created == model(7).created_at / 1000


async def test_an_empty_topic_is_no_model_and_told_nobody() -> None:
    on = Followed()
    async with on.running():
        assert on.reader.current == {}
    assert on.told == []


async def test_a_new_version_replaces_and_the_former_mapping_stays_as_it_was() -> None:
    on = Followed((NOW, encode(model(1))))
    async with on.running():
        former = on.reader.current
        on.topic.add(key("counted", 2), encode(model(2)))
        on.topic.add(NOW, encode(model(2)))
        await until(lambda: on.reader.current["counted"].version == 2)
        assert former["counted"].version == 1
    assert on.told == [{"counted": 1}, {"counted": 2}]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"no json", "malformed"),
        (encode(model(2)).replace(b'"weights":[0.0]', b'"weights":[9.0]'), "checksum"),
        (encode(model(2, task="other")), "key"),
    ],
)
async def test_a_bad_one_is_refused_counted_and_the_old_one_stays(value, reason) -> None:
    on = Followed((NOW, encode(model(1))))
    async with on.running():
        on.topic.add(NOW, value)
        await until(lambda: on.metric("models_refused_total", reason=reason) == 1)
        assert on.reader.current["counted"].version == 1
        on.topic.add(NOW, encode(model(3)))
        await until(lambda: on.reader.current["counted"].version == 3)
    assert on.told == [{"counted": 1}, {"counted": 3}]


async def test_deleting_the_key_withdraws_the_model() -> None:
    on = Followed((NOW, encode(model(1))))
    async with on.running():
        on.topic.add(NOW, None)
        await until(lambda: not on.reader.current)
        assert on.metric("model_version", task="counted") == 0
        assert on.metric("model_created_timestamp_seconds", task="counted") is None
    assert on.told == [{"counted": 1}, {}]


async def test_brokers_that_are_away_are_asked_again_and_the_models_stay() -> None:
    on = Followed((NOW, encode(model(1))))
    async with on.running():
        on.topic.away, on.topic.broken = 2, 1
        await until(lambda: on.metric("reconnects_total") == 3)
        assert on.reader.current["counted"].version == 1
        on.topic.add(NOW, encode(model(2)))
        await until(lambda: on.reader.current["counted"].version == 2)
    assert on.told == [{"counted": 1}, {"counted": 2}]


async def test_a_start_without_an_answer_is_fatal() -> None:
    on = Followed()
    on.topic.away = 1
    with pytest.raises(Fatal, match="away"):
        await on.reader.start()
    await on.reader.stop()


async def test_what_the_listener_does_wrong_ends_the_process() -> None:
    on = Followed((NOW, encode(model(1))))
    await on.reader.start()
    on.told = None  # type: ignore[assignment]
    on.topic.add(NOW, encode(model(2)))
    await until(lambda: on.failed)
    await on.reader.stop()
    assert isinstance(on.failed[0], AttributeError)
