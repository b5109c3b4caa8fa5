"""Reading a log of one partition: committed records in order, and no wait without an end."""

from __future__ import annotations

import asyncio
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import TopicPartition

from stream_app.kafka.client.log import Entry, Log, read_all
from stream_app.kafka.errors import Fatal

TP = TopicPartition("models", 0)


class FakeConsumer:
    """Delivers `fetches`: each is the position after it and its records (offset, key, value)."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.fetches: deque[tuple[int, list[tuple[int, bytes | None, bytes | None]]]] = deque()
        self.at = self.first = self.last = 0
        self.error: Exception | None = None
        self.hangs = self.stopped = False

    async def _ask(self) -> None:
        if self.error:
            raise self.error
        if self.hangs:
            await asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        await self._ask()

    def assign(self, tps: list[TopicPartition]) -> None:
        assert tps == [TP]

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.at = offset

    async def beginning_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {TP: self.first}

    async def end_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        await self._ask()
        return {TP: self.last}

    async def position(self, tp: TopicPartition) -> int:
        return self.at

    async def getmany(self, tp: TopicPartition, **bounds: int) -> dict[TopicPartition, list[Any]]:
        await self._ask()
        await asyncio.sleep(0.001)
        if not self.fetches:
            return {}
        self.at, found = self.fetches.popleft()
        return {TP: [SimpleNamespace(offset=o, key=k, value=v) for o, k, v in found]}

    async def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    monkeypatch.setattr("stream_app.kafka.client.log.AIOKafkaConsumer", FakeConsumer)
    return Log({"bootstrap_servers": "a:1"}, "models", 0.05)


def inside(log: Log) -> FakeConsumer:
    consumer: FakeConsumer = log._consumer
    return consumer


async def test_it_reads_committed_records_outside_any_group_from_the_first_kept(log) -> None:
    inside(log).first = 7
    assert await log.open() == 7
    options = inside(log).options
    assert options["isolation_level"] == "read_committed"
    assert options["group_id"] is None
    assert options["enable_auto_commit"] is False
    inside(log).fetches.append((10, [(7, b"a", b"1"), (9, None, None)]))
    assert await log.take(10) == [Entry(7, b"a", b"1"), Entry(9, b"", None)]
    assert await log.take(10) == []
    await log.close()
    assert inside(log).stopped


async def test_records_can_be_skipped_forwards_only(log) -> None:
    inside(log).first = 7
    await log.open()
    log.skip_to(3)
    assert await log.position() == 7
    log.skip_to(20)
    assert await log.position() == 20
    inside(log).fetches.append((9, [(8, b"a", b"1")]))
    with pytest.raises(Fatal, match="fell from offset 20 to 8"):
        await log.take(10)


async def test_all_is_the_last_of_each_key_without_what_was_deleted(log) -> None:
    await log.open()
    inside(log).last = 6
    inside(log).fetches.extend(
        [
            (2, [(0, b"a:1", b"x"), (1, b"a:current", b"x")]),
            (4, [(2, b"b:1", b"y"), (3, b"a:1", None)]),
            # A marker takes the last offset.
            (6, [(4, b"a:current", b"z")]),
        ]
    )
    assert await read_all(log, 1.0) == {b"b:1": b"y", b"a:current": b"z"}


async def test_only_keys_with_the_suffix_are_kept(log) -> None:
    await log.open()
    inside(log).last = 2
    inside(log).fetches.append((2, [(0, b"a:1", b"x"), (1, b"a:current", b"x")]))
    assert await read_all(log, 1.0, b":current") == {b"a:current": b"x"}


async def test_an_end_that_is_never_reached_is_fatal(log) -> None:
    await log.open()
    inside(log).last = 2
    with pytest.raises(Fatal, match="models: no record was read for 0 s"):
        await read_all(log, 0.02)


async def test_a_log_made_anew_is_fatal(log) -> None:
    await log.open()
    inside(log).fetches.extend([(5, [(4, b"a", b"")]), (1, [(0, b"a", b"")])])
    await log.take(10)
    with pytest.raises(Fatal, match="models fell from offset 5 to 0"):
        await log.take(10)


@pytest.mark.parametrize("ask", [Log.open, Log.end, lambda log: log.take(1)])
async def test_whatever_has_no_answer_or_fails_is_fatal(log, ask) -> None:
    inside(log).hangs = True
    with pytest.raises(Fatal, match="models: no answer for 0 s"):
        await ask(log)
    inside(log).error = KafkaConnectionError("gone")
    with pytest.raises(Fatal, match="failed: KafkaConnectionError"):
        await ask(log)
