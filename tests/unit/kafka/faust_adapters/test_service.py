"""The worker's housekeeping: brokers that are away, catalogues that change, offsets for others."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP
from support.clicks import CATALOGUE
from support.partition import Partition

from stream_app.engine.catalogue import Limits
from stream_app.engine.reload import CatalogueFile
from stream_app.health import Health
from stream_app.kafka.errors import Fatal, Refusal
from stream_app.kafka.faust_adapters import service
from stream_app.kafka.faust_adapters.service import WorkerService
from stream_app.kafka.model_registry.in_use import ModelsInUse
from stream_app.kafka.topics import Finding, TopicPlan, TopicsError, left, topic_specs
from stream_app.kafka.topics.check import Found


class Signal:
    def connect(self, handler: Any, **kwargs: Any) -> None:
        self.handler = handler


class FakeConsumer:
    """When fetches were answered, and what was published."""

    def __init__(self) -> None:
        self.fetched_at: float | None = None
        self.published: list[dict[TP, int]] = []
        self.topics = {"clicks": 4, "purchases": 4}

    def topic_partitions(self, topic: str) -> int | None:
        return self.topics.get(topic)

    def last_fetch_ms(self) -> float | None:
        return self.fetched_at

    async def publish_offsets(self, offsets: dict[TP, int]) -> None:
        self.published.append(offsets)


class FakeApp:
    consumer_generation_id = 3

    def __init__(self) -> None:
        self.on_partitions_revoked, self.on_partitions_assigned = Signal(), Signal()
        self.consumer = FakeConsumer()


class FakePartitions:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.counts: dict[str, int] = {}
        self.error: Exception | None = None

    async def _tell(self, *what: Any) -> None:
        self.told.append(what)
        if self.error:
            raise self.error

    async def revoke(self) -> None:
        await self._tell("revoke")

    async def assign(self, assigned: Any, generation: int) -> None:
        await self._tell("assign", assigned, generation)

    async def tick(self) -> None:
        await self._tell("tick")

    async def stop(self) -> None:
        await self._tell("stop")

    def next_offsets(self) -> dict[TP, int]:
        return {TP("clicks", 0): 5}

    def adopt(self, program: Any) -> None:
        self.told.append(("adopt", program))


class Beat:
    """A sleep that lasts until the test lets it end; remembers how long it should have been."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.let = asyncio.Semaphore(0)

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await self.let.acquire()


class Asyncio:
    """asyncio as the service sees it, with another sleep."""

    def __init__(self, sleep: Any) -> None:
        self.sleep = sleep

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)


class Reader:
    """Follows nothing; remembers whether it should."""

    def __init__(self, take: Any) -> None:
        self.following = False

    async def start(self) -> None:
        self.following = True

    async def stop(self) -> None:
        self.following = False


class Worker:
    """A service among fakes."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.fakes = Partition(http_port=0, **settings)
        self.app, self.partitions = FakeApp(), FakePartitions()
        self.health = Health(60_000)
        self.catalogue = CatalogueFile(path, Limits())
        around = self.fakes.around
        self.models = ModelsInUse(
            lambda: self.catalogue.program, Reader, lambda models: None, around.metrics
        )
        self.subscribed: list[str] = []
        self.service = WorkerService(
            self.app,
            around,
            self.partitions,
            self.catalogue,
            self.health,
            self.models,
            self.subscribed.append,
        )
        self.beat = Beat()

    @property
    def failed(self) -> list[BaseException]:
        return self.fakes.failed

    def metric(self, name: str, **labels: str) -> float | None:
        return self.fakes.metrics.registry.get_sample_value(f"stream_app_{name}", labels)

    def connected(self) -> bool:
        return self.health.ready()[0].holds

    async def beats(self, n: int = 1) -> None:
        for _ in range(n):
            self.beat.let.release()
            for _ in range(10):
                await asyncio.sleep(0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(CATALOGUE)
    return file


@pytest.fixture
async def worker(path, monkeypatch) -> Any:
    async def fits(*args: Any, **options: Any) -> list[Any]:
        """Topics are as they should be."""
        return []

    made = Worker(path)
    monkeypatch.setattr(service, "ensure_topics", fits)
    monkeypatch.setattr(service, "asyncio", Asyncio(made.beat))
    yield made
    made.partitions.error = None
    await made.service.leave()


async def test_prepared_it_serves_http_and_is_connected(worker):
    await worker.service.prepare()
    assert worker.connected()
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{worker.service._http.port}/metrics") as answer,
    ):
        assert "stream_app_build{" in await answer.text()


async def test_brokers_away_at_start_are_tried_again_ever_more_slowly(worker, monkeypatch):
    tries: Iterator[Any] = iter([KafkaConnectionError("a")] * 3 + [TimeoutError()] * 4 + [None])

    async def ensure(*args: Any, create: bool = True) -> list[Any]:
        error = next(tries) if create else None
        if error:
            raise error
        return []

    monkeypatch.setattr(service, "ensure_topics", ensure)
    preparing = asyncio.create_task(worker.service.prepare())
    while len(worker.beat.asked) < 7:
        assert not worker.connected()
        await worker.beats()
    await asyncio.sleep(0)
    await worker.beats()
    await preparing
    assert worker.beat.asked[:7] == [0.5, 1, 2, 4, 5, 5, 5]
    assert worker.metric("reconnects_total") == 7
    assert worker.connected()


async def test_topics_that_do_not_fit_and_a_taken_port_are_refusals(worker, path, monkeypatch):
    async def misfit(*args: Any) -> None:
        raise TopicsError(["clicks: 3 partition(s), 4 wanted"])

    monkeypatch.setattr(service, "ensure_topics", misfit)
    with pytest.raises(Refusal, match="3 partition"):
        await worker.service.prepare()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        other = Worker(path)
        other.service._http._port = taken.getsockname()[1]
        with pytest.raises(Refusal, match="is in use by another program"):
            await other.service.prepare()


async def test_a_rebalance_is_passed_on_and_its_failure_ends_the_process(worker):
    app, assigned = worker.app, {TP("clicks", 0)}
    await app.on_partitions_revoked.handler(app, set())
    await app.on_partitions_assigned.handler(app, assigned)
    assert worker.partitions.told == [("revoke",), ("assign", assigned, 3)]
    worker.partitions.error = Fatal("did not drain")
    await app.on_partitions_revoked.handler(app, set())
    assert worker.failed == [worker.partitions.error]


async def test_an_input_that_is_gone_ends_the_process(worker):
    app = worker.app
    app.consumer.topics["purchases"] = 0
    await app.on_partitions_assigned.handler(app, set())
    assert "purchases is gone" in str(worker.failed[0])
    assert worker.partitions.told == []


async def test_who_does_not_lead_the_group_knows_of_no_input_and_goes_on(worker):
    app = worker.app
    app.consumer.topics.clear()
    await app.on_partitions_assigned.handler(app, set())
    assert worker.failed == []
    assert worker.partitions.told == [("assign", set(), 3)]


async def test_time_ticks_and_offsets_are_published_now_and_then(worker):
    await worker.service.prepare()
    await worker.beats(10)
    assert worker.partitions.told == [("tick",)] * 10
    assert worker.app.consumer.published == [{TP("clicks", 0): 5}] * 2
    worker.partitions.error = Fatal("reading fell back")
    await worker.beats()
    assert worker.failed == [worker.partitions.error]


async def test_fetches_without_answer_end_readiness_and_then_the_process(worker):
    """Trap 11: a consumer that died without a word looks the same."""
    await worker.service.prepare()
    fakes, consumer = worker.fakes, worker.app.consumer
    consumer.fetched_at = fakes.now
    await worker.beats()
    for seconds, connected in ((9, True), (11, False), (60, False)):
        fakes.now = int(consumer.fetched_at) + seconds * 1000
        await worker.beats()
        assert worker.connected() is connected
    consumer.fetched_at = fakes.now
    await worker.beats()
    assert worker.connected()
    assert worker.failed == []
    fakes.now += 60_001
    await worker.beats()
    assert "no fetch was answered for 60 s" in str(worker.failed[0])


@pytest.mark.parametrize("ahead", [5 * 3_600_000, -5 * 3_600_000])
async def test_a_wall_clock_that_is_set_is_no_outage_and_hides_none(worker, ahead):
    await worker.service.prepare()
    fakes, consumer = worker.fakes, worker.app.consumer
    for fakes.ahead in (0, ahead, 0):
        consumer.fetched_at = fakes.now + fakes.ahead
        await worker.beats()
        assert worker.connected()
        fakes.now += 1_000
    for fakes.ahead in (0, ahead):
        fakes.now += 9_500
        await worker.beats()
    assert not worker.connected()
    fakes.now += 60_000
    await worker.beats()
    assert "no fetch was answered for 80 s" in str(worker.failed[0])


async def test_a_partition_just_opened_is_no_outage(worker):
    await worker.service.prepare()
    fakes, consumer = worker.fakes, worker.app.consumer
    fakes.now += 3_600_000
    await worker.beats()
    # Opened, and not fetched from yet.
    consumer.fetched_at = 0
    fakes.now += 5_000
    await worker.beats()
    assert worker.connected()
    assert worker.failed == []


async def test_a_changed_catalogue_is_adopted_and_a_broken_one_is_counted(worker, path, caplog):
    await worker.service.prepare()
    first = worker.catalogue.program
    path.write_text(CATALOGUE.replace("clicks_24h >= 3", "clicks_24h >="))
    await worker.beats(3)
    assert worker.metric("catalogue_reload_failures_total") == 1
    assert "refused, the last good one stays" in caplog.text
    assert f"{path}:10: tags.regular.when" in caplog.text
    assert worker.catalogue.program is first
    path.write_text(CATALOGUE.replace("clicks_24h >= 3", "clicks_24h >= 4"))
    await worker.beats()
    program = worker.catalogue.program
    assert ("adopt", program) in worker.partitions.told
    assert worker.metric("catalogue", revision=program.catalogue.revision) == 1
    assert worker.metric("catalogue", revision=first.catalogue.revision) is None


async def test_leaving_commits_stops_and_publishes_where_it_ended(worker):
    await worker.service.prepare()
    await worker.service.leave()
    assert worker.partitions.told[-1] == ("stop",)
    assert worker.app.consumer.published == [{TP("clicks", 0): 5}]
    assert worker.service._housekeeping.cancelling()


@pytest.mark.parametrize(
    ("route", "there", "read"),
    [("auto", True, True), ("never", False, False), ("never", True, True)],
)
async def test_routed_events_are_read_as_long_as_there_is_a_topic_of_them(
    path, monkeypatch, route, there, read
):
    made = Worker(path, route=route)

    async def ensure(options: Any, plan: TopicPlan, *, create: bool = True) -> list[Finding]:
        found = Found(4, 1, {})
        specs = topic_specs(plan)
        return [Finding(s, found if there or s.name != plan.routed else None) for s in specs]

    for module in (service, left):
        monkeypatch.setattr(module, "ensure_topics", ensure)
    monkeypatch.setattr(service, "asyncio", Asyncio(made.beat))
    await made.service.prepare()
    try:
        assert made.subscribed == (["stream_app-routed"] if read else [])
        assert made.partitions.counts["clicks"] == 4
        assert (made.service._purging is not None) == read
    finally:
        await made.service.leave()
