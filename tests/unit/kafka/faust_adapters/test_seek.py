"""Seeking a partition while a fetch of it is under way, as after a rebalance."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import TopicPartition
from faust.types import TP
from support.traffic import CATALOGUE

from stream_app.app import create_app
from stream_app.kafka.faust_adapters.transport import BatchingConsumer
from stream_app.settings import Settings

CLICKS = TP("clicks", 0)


class Kafka:
    """aiokafka's consumer: fetches end when they are told to; where it was sent."""

    _closed = False
    _max_poll_records = None

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.seeks: list[tuple[TopicPartition, int]] = []
        self.fetched: dict[Any, Any] = {}
        self._fetcher = self
        self._subscriptions = self

    def fetch_context(self) -> Any:
        return nullcontext()

    async def fetched_records(self, *args: Any, **options: Any) -> dict[Any, Any]:
        await self.over.wait()
        return self.fetched

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.seeks.append((tp, offset))


@pytest.fixture
async def consumer(tmp_path: Path) -> BatchingConsumer:
    path = tmp_path / "catalogue.yaml"
    path.write_text(CATALOGUE)
    app = create_app(Settings(catalog=str(path)))
    app.finalize()
    app.consumer._thread = app.consumer._new_consumer_thread()
    app.consumer._thread._consumer = Kafka()
    app.consumer.resume_flow()
    return app.consumer


def kafka(consumer: BatchingConsumer) -> Kafka:
    return consumer._thread._consumer


async def test_a_seek_waits_for_the_fetch_that_was_begun_before_it(consumer) -> None:
    consumer.open(CLICKS)
    fetch = asyncio.create_task(consumer._getmany({CLICKS}, 0.1))
    await asyncio.sleep(0)
    consumer.close_partition(CLICKS)
    seek = asyncio.create_task(consumer.seek(CLICKS, 7))
    await asyncio.sleep(0.01)
    assert kafka(consumer).seeks == []
    kafka(consumer).over.set()
    await asyncio.gather(fetch, seek)
    assert kafka(consumer).seeks == [(TopicPartition("clicks", 0), 7)]


async def test_a_fetch_that_nobody_waits_for_any_more_is_waited_for_too(consumer) -> None:
    consumer.open(CLICKS)
    fetch = asyncio.create_task(consumer._getmany({CLICKS}, 0.1))
    await asyncio.sleep(0)
    # As Faust's fetcher is at a rebalance; the request to the broker is not.
    fetch.cancel()
    await asyncio.wait((fetch,))
    another = asyncio.create_task(consumer._getmany({TP("clicks", 1)}, 0.1))
    consumer.close_partition(CLICKS)
    seek = asyncio.create_task(consumer.seek(CLICKS, 7))
    await asyncio.sleep(0.01)
    assert kafka(consumer).seeks == []
    kafka(consumer).over.set()
    await asyncio.gather(another, seek)
    assert kafka(consumer).seeks == [(TopicPartition("clicks", 0), 7)]


async def test_what_is_fetched_is_of_before_a_seek_that_waited_for_it(consumer) -> None:
    fetched = {CLICKS: [SimpleNamespace(offset=5, timestamp=1, timestamp_type=0)]}
    consumer.open(CLICKS)
    await consumer.seek(CLICKS, 5)
    told = []

    async def drain() -> None:
        kafka(consumer).fetched = fetched
        records = await consumer._getmany({CLICKS}, 0.1)
        told.extend(message.value.era for message in consumer._messages(records))

    draining = asyncio.create_task(drain())
    await asyncio.sleep(0)
    consumer.close_partition(CLICKS)
    seek = asyncio.create_task(consumer.seek(CLICKS, 3))
    await asyncio.sleep(0.01)
    kafka(consumer).over.set()
    await asyncio.gather(draining, seek)
    assert [era.over for era in told] == [True]


async def test_a_fetch_of_other_partitions_is_not_waited_for(consumer) -> None:
    fetch = asyncio.create_task(consumer._getmany({TP("clicks", 1)}, 0.1))
    await asyncio.sleep(0)
    await consumer.seek(CLICKS, 7)
    assert len(kafka(consumer).seeks) == 1
    fetch.cancel()


async def test_what_was_fetched_before_a_seek_is_over_after_it(consumer) -> None:
    await consumer.seek(CLICKS, 7)
    before = consumer._eras[CLICKS]
    assert not before.over
    await consumer.seek(CLICKS, 9)
    assert before.over
    assert not consumer._eras[CLICKS].over
