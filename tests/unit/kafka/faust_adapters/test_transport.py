"""The Faust transport hands over whole fetches and leaves offsets and restoring to the tasks.

Traps of DESIGN covered here: 1 (undecodable input does not stop an agent), 2 (Faust commits
nothing), 7 (Faust is told of no changelog), 8 (nothing is kept for each acknowledged record) and 12
(registration).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import CommitFailedError, IllegalStateError, NodeNotReadyError
from aiokafka.structs import TopicPartition
from faust.transport.drivers import TRANSPORTS
from faust.types import TP
from support.clicks import CATALOGUE
from support.partition import records

from stream_app.app import StreamApp, create_app
from stream_app.kafka.faust_adapters import transport
from stream_app.kafka.faust_adapters.transport import BatchingConsumer, Fetched, FetchSchema
from stream_app.settings import Settings

CLICKS = TP("clicks", 0)


@pytest.fixture
async def app(tmp_path: Path) -> StreamApp:
    path = tmp_path / "shop.yaml"
    path.write_text(CATALOGUE)
    made = create_app(Settings(catalog=str(path)))
    made.finalize()
    return made


@pytest.fixture
async def consumer(app) -> BatchingConsumer:
    made = app.consumer
    assert isinstance(made, BatchingConsumer)
    return made


class FakeKafka:
    """aiokafka's consumer: positions, and commits that a test may fail."""

    def __init__(self) -> None:
        self.committed: list[dict[Any, int]] = []
        self.asked = 0
        self.error: Exception | None = None
        self.hang = False
        self.fetched_at: dict[TopicPartition, float] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        self.stopped = False

    async def start(self) -> None:
        self.loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        self.stopped = True

    async def commit(self, offsets: dict[Any, int]) -> None:
        self.asked += 1
        if self.error:
            raise self.error
        if self.hang:
            await asyncio.Event().wait()
        self.committed.append(offsets)

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(*CLICKS)}

    async def position(self, tp: TopicPartition) -> int:
        if self.hang:
            await asyncio.Event().wait()
        return 17

    def last_stable_offset(self, tp: TopicPartition) -> int:
        return 19

    def last_poll_timestamp(self, tp: TopicPartition) -> float:
        assert tp in self.fetched_at, "Partition is not assigned"
        return self.fetched_at[tp]


@pytest.fixture
async def kafka(consumer, monkeypatch) -> FakeKafka:
    """The broker's side of a consumer."""
    made = FakeKafka()
    consumer._thread = SimpleNamespace(_ensure_consumer=lambda: made)
    monkeypatch.setattr(transport, "ANSWER_SECONDS", 0.01)
    return made


def fetched(consumer: BatchingConsumer, *values: bytes) -> Any:
    return consumer._to_fetch(CLICKS, 4, records(values, first=5))


def test_the_scheme_is_known_to_faust():
    transport.register()
    assert TRANSPORTS.by_url(f"{transport.SCHEME}://h:1") is transport.Transport


async def test_only_opened_partitions_are_read_whatever_faust_resumes(consumer):
    consumer.open(CLICKS)
    consumer.resume_partitions([TP("clicks", 1)])
    consumer.pause_partitions([CLICKS])
    assert consumer._get_active_partitions() == {CLICKS}
    consumer.close_partition(CLICKS)
    assert consumer._get_active_partitions() == set()


async def test_faust_neither_seeks_nor_commits_nor_recovers(consumer):
    """None of these talks to a broker: this consumer has none."""
    await consumer.perform_seek()
    assert await consumer._commit({CLICKS: 5}) is True
    changelog = TP("stream_app-profiles-changelog", 0)
    assert await consumer.highwaters(changelog) == {changelog: 0}


async def test_a_fetch_is_one_message_under_its_generation(consumer):
    message = fetched(consumer, b"{", b"\xff")
    assert (message.topic, message.partition, message.offset) == ("clicks", 0, 6)
    assert isinstance(message.value, Fetched)
    assert (message.value.tp, message.value.generation) == (CLICKS, 4)
    assert [r.offset for r in message.value.records] == [5, 6]


async def test_undecodable_input_passes_untouched(app, consumer):
    message = fetched(consumer, b"\xff\x00")
    schema = FetchSchema()
    assert schema.loads_value(app, message) is message.value
    assert schema.loads_key(app, message) is None


async def test_nothing_is_remembered_of_acknowledged_messages(app, consumer):
    for agent in app.agents.values():
        app.topics.add(agent.channel)
    await app.topics._update_indices()
    for _ in range(50):
        message = fetched(consumer, b"{")
        consumer.track_message(message)
        message.ack(consumer)
    assert not consumer._acked[CLICKS]
    assert not consumer._acked_index[CLICKS]
    assert consumer._n_acked == 0


async def test_fetches_are_delivered_once_each_and_only_while_flowing(consumer, monkeypatch):
    delivered = []
    rounds = [{CLICKS: records([b"a", b"b"])}, {}, {CLICKS: records([b"c"])}]
    fetcher = SimpleNamespace(should_stop=False)

    async def next_records(timeout: float) -> tuple[Any, None]:
        if len(rounds) == 1:
            fetcher.should_stop = True
        return rounds.pop(0), None

    async def callback(message: Any) -> None:
        delivered.append([r.value for r in message.value.records])

    monkeypatch.setattr(consumer, "_wait_next_records", next_records)
    monkeypatch.setattr(consumer, "callback", callback)
    consumer.resume_flow()
    await consumer._drain_messages(fetcher)
    assert delivered == [[b"a", b"b"], [b"c"]]
    consumer.stop_flow()
    rounds.append({CLICKS: records([b"d"])})
    fetcher.should_stop = False
    await consumer._drain_messages(fetcher)
    assert len(delivered) == 2


async def test_offsets_are_published_for_what_is_assigned(consumer, kafka):
    await consumer.publish_offsets({CLICKS: 7, TP("clicks", 1): 9})
    assert kafka.committed == [{CLICKS: 7}]
    await consumer.publish_offsets({TP("clicks", 1): 9})
    await consumer.publish_offsets({})
    assert len(kafka.committed) == 1


@pytest.mark.parametrize("error", [CommitFailedError(), IllegalStateError("gone"), None])
async def test_offsets_that_cannot_be_published_are_no_failure_and_no_wait(consumer, kafka, error):
    kafka.error, kafka.hang = error, error is None
    await asyncio.wait_for(consumer.publish_offsets({CLICKS: 7}), 5)
    assert kafka.committed == []


async def test_while_the_coordinator_is_away_only_one_commit_waits_for_it(consumer, kafka):
    """aiokafka goes on with each that was given up; all failed, loudly, when it came back."""
    kafka.hang = True
    for _ in range(3):
        await consumer.publish_offsets({CLICKS: 7})
    assert kafka.asked == 1
    kafka.hang = False
    consumer._publishing.cancel()
    await asyncio.sleep(0)
    await consumer.publish_offsets({CLICKS: 8})
    assert kafka.committed == [{CLICKS: 8}]


async def test_reading_is_answered_or_given_up(consumer, kafka):
    kafka.fetched_at[CLICKS] = 99.0
    assert await consumer.reading(CLICKS) == (17, 19, 99.0)
    kafka.hang = True
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(consumer.reading(CLICKS), 5)


async def test_the_last_answer_is_that_of_any_open_partition(consumer, kafka):
    other = TP("clicks", 1)
    kafka.fetched_at = {CLICKS: 50.0, other: 70.0}
    assert consumer.last_fetch_ms() is None
    consumer.open(CLICKS)
    assert consumer.last_fetch_ms() == 50.0
    consumer.open(other)
    assert consumer.last_fetch_ms() == 70.0
    # Lost in a rebalance that the task does not know of yet.
    kafka.fetched_at = {}
    assert consumer.last_fetch_ms() is None


async def test_before_the_consumer_starts_nothing_is_known(app):
    assert app.consumer.last_fetch_ms() is None
    await app.consumer.publish_offsets({})


async def test_the_consumer_runs_in_the_loop_of_all_others_and_leaves_them_alone(app, monkeypatch):
    """In a thread of its own every fetch would wait for folds, several times."""
    started = FakeKafka()
    driver = app.consumer._thread
    monkeypatch.setattr(driver, "_create_worker_consumer", lambda transport: started)
    other = asyncio.create_task(asyncio.Event().wait())
    await driver.start()
    assert started.loop is asyncio.get_running_loop()
    await driver.stop()
    assert started.stopped
    await asyncio.sleep(0)
    assert not other.done()
    other.cancel()


async def test_a_consumer_that_cannot_start_says_so(app, monkeypatch):
    def fails(transport: Any) -> FakeKafka:
        raise NodeNotReadyError("no broker")

    driver = app.consumer._thread
    monkeypatch.setattr(driver, "_create_worker_consumer", fails)
    with pytest.raises(NodeNotReadyError):
        await driver.start()


async def test_what_the_consumer_does_goes_on_without_its_caller(app):
    release, done = asyncio.Event(), asyncio.Event()

    async def something() -> None:
        await release.wait()
        done.set()

    calling = asyncio.create_task(app.consumer._thread.call_thread(something))
    await asyncio.sleep(0)
    calling.cancel()
    release.set()
    await asyncio.wait_for(done.wait(), 1)


async def test_the_consumer_reads_committed_records_in_small_waits(app):
    thread = app.consumer._new_consumer_thread()
    made = thread._create_worker_consumer(app.transport)
    try:
        assert made._isolation_level == "read_committed"
        assert made._fetch_max_wait_ms == transport.FETCH_MAX_WAIT_MS
        assert made._enable_auto_commit is False
    finally:
        made._closed = True
