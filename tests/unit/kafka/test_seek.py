"""Seeking a partition while a fetch of it is under way, as after a rebalance."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import TopicPartition
from faust.types import TP
from support.traffic import CATALOGUE

from stream_app.app import create_app
from stream_app.kafka.transport import BatchingConsumer
from stream_app.settings import Settings

CLICKS = TP("clicks", 0)


class Thread:
    """The consumer's thread: one fetch that ends when it is told to, and where it was sent."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.seeks: list[tuple[TopicPartition, int]] = []

    async def getmany(self, *args: Any) -> dict[Any, Any]:
        await self.over.wait()
        return {}

    async def call_thread(self, fun: Any, *args: Any) -> Any:
        return await fun(*args)

    def _ensure_consumer(self) -> Any:
        return SimpleNamespace(seek=lambda tp, offset: self.seeks.append((tp, offset)))


@pytest.fixture
async def consumer(tmp_path: Path) -> BatchingConsumer:
    path = tmp_path / "catalogue.yaml"
    path.write_text(CATALOGUE)
    app = create_app(Settings(catalog=str(path)))
    app.finalize()
    app.consumer._thread = Thread()
    return app.consumer


async def test_a_seek_waits_for_the_fetch_that_was_begun_before_it(consumer) -> None:
    consumer.open(CLICKS)
    fetch = asyncio.create_task(consumer._getmany({CLICKS}, 0.1))
    await asyncio.sleep(0)
    consumer.close_partition(CLICKS)
    seek = asyncio.create_task(consumer.seek(CLICKS, 7))
    await asyncio.sleep(0.01)
    assert consumer._thread.seeks == []
    consumer._thread.over.set()
    await asyncio.gather(fetch, seek)
    assert consumer._thread.seeks == [(TopicPartition("clicks", 0), 7)]


async def test_a_fetch_of_other_partitions_is_not_waited_for(consumer) -> None:
    fetch = asyncio.create_task(consumer._getmany({TP("clicks", 1)}, 0.1))
    await asyncio.sleep(0)
    await consumer.seek(CLICKS, 7)
    assert len(consumer._thread.seeks) == 1
    fetch.cancel()


async def test_what_was_fetched_before_a_seek_is_over_after_it(consumer) -> None:
    await consumer.seek(CLICKS, 7)
    before = consumer._eras[CLICKS]
    assert not before.over
    await consumer.seek(CLICKS, 9)
    assert before.over
    assert not consumer._eras[CLICKS].over
