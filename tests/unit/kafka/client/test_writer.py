"""A transaction commits everything or nothing, and never hangs.

Traps of DESIGN covered here: 3 (aiokafka commits although a batch failed) and 5 (a commit that
never ends).
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka.errors import MessageSizeTooLargeError, ProducerFenced
from aiokafka.producer.message_accumulator import BatchBuilder

from stream_app.domain.masked import masked
from stream_app.kafka.client.writer import MAX_BATCH_BYTES, Outgoing, TransactionWriter
from stream_app.kafka.errors import Fatal, Refusal


class FakeProducer:
    """Remembers the calls in order; `fail` is what a topic's batches come to."""

    def __init__(self, **options: object) -> None:
        self.options = options
        self.calls: list[object] = []
        self.sent: list[tuple[str, int, BatchBuilder]] = []
        self.fail: dict[str, Exception] = {}
        self.hang: set[str] = set()
        self.start_error: Exception | None = None

    async def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.hang:
            await asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        await self._call("start")
        if self.start_error:
            raise self.start_error

    async def begin_transaction(self) -> None:
        await self._call("begin")

    async def commit_transaction(self) -> None:
        await self._call("commit")

    async def stop(self) -> None:
        await self._call("stop")

    async def send_batch(
        self, batch: BatchBuilder, topic: str, *, partition: int
    ) -> asyncio.Future:
        self.calls.append(topic)
        self.sent.append((topic, partition, batch))
        future = asyncio.get_running_loop().create_future()
        if topic in self.fail:
            future.set_exception(self.fail[topic])
        elif topic not in self.hang:
            future.set_result(None)
        return future


@pytest.fixture
def writer(monkeypatch) -> TransactionWriter:
    monkeypatch.setattr("stream_app.kafka.client.writer.AIOKafkaProducer", FakeProducer)
    return TransactionWriter({"bootstrap_servers": "127.0.0.1:1"}, "app-3", 3, timeout_s=0.05)


@pytest.mark.parametrize(("request_s", "wait_ms"), [(3.0, 3_000), (90.0, 60_000)])
def test_no_answer_is_waited_for_longer_than_the_whole_transaction(monkeypatch, request_s, wait_ms):
    monkeypatch.setattr("stream_app.kafka.client.writer.AIOKafkaProducer", FakeProducer)
    writer = TransactionWriter({}, "app-3", 3, timeout_s=60, request_timeout_s=request_s)
    assert writer._producer.options["request_timeout_ms"] == wait_ms


def some(n: int = 1, size: int = 3) -> list[Outgoing]:
    return [Outgoing(b"k%d" % i, b"v" * size) for i in range(n)]


def test_the_partition_has_a_transactional_id_of_its_own(writer):
    assert writer._producer.options["transactional_id"] == writer.transactional_id == "app-3"


def test_the_broker_gives_a_transaction_up_when_the_writer_does(writer):
    assert writer._producer.options["transaction_timeout_ms"] == 50


async def test_all_topics_are_written_to_the_partition_and_committed_at_the_end(writer):
    await writer.write(writer.pack({"rows": some(3), "tags": some(2)}))
    assert writer._producer.calls == ["begin", "rows", "tags", "commit"]
    assert [(t, p, b.record_count()) for t, p, b in writer._producer.sent] == [
        ("rows", 3, 3),
        ("tags", 3, 2),
    ]


async def test_a_topic_of_one_partition_is_shared_by_all_writers(monkeypatch):
    monkeypatch.setattr("stream_app.kafka.client.writer.AIOKafkaProducer", FakeProducer)
    writer = TransactionWriter({}, "app-3", 3, timeout_s=0.05, single=("training",))
    await writer.write(writer.pack({"rows": some(), "training": some()}))
    assert [(t, p) for t, p, _ in writer._producer.sent] == [("rows", 3), ("training", 0)]


async def test_what_does_not_fit_one_batch_goes_into_more_after_every_topic_had_one(writer):
    # Megabytes are compressed first.
    writer._timeout_s = 10.0
    await writer.write(writer.pack({"rows": some(3, MAX_BATCH_BYTES // 2), "tags": some()}))
    assert writer._producer.calls == ["begin", "rows", "tags", "rows", "rows", "commit"]


@pytest.mark.parametrize("topic", ["rows", "tags"])
async def test_a_failed_batch_is_never_committed(writer, topic):
    writer._producer.fail[topic] = MessageSizeTooLargeError("too large")
    with pytest.raises(Fatal, match=r"app-3 failed and was not committed.*MessageSizeTooLarge"):
        await writer.write(writer.pack({"rows": some(), "tags": some()}))
    assert "commit" not in writer._producer.calls


@pytest.mark.timeout(5)
async def test_a_fenced_writer_says_so_although_batch_and_transaction_fail_with_one_error(writer):
    fenced = ProducerFenced()
    writer._producer.fail["rows"] = fenced
    ended = asyncio.get_running_loop().create_future()
    ended.set_exception(fenced)
    writer._producer._txn_manager = SimpleNamespace(wait_for_transaction_end=lambda: ended)
    with pytest.raises(Fatal, match=r"app-3 failed and was not committed: ProducerFenced"):
        await writer.write(writer.pack({"rows": some()}))


async def test_a_record_that_fits_no_batch_stops_before_the_transaction(writer):
    with pytest.raises(Fatal, match=f"key {masked(b'k0')} for rows is larger than a batch"):
        await writer.write(writer.pack({"tags": some(), "rows": some(1, MAX_BATCH_BYTES + 1)}))
    assert writer._producer.calls == []


@pytest.mark.parametrize("what", ["begin", "commit", "rows"])
async def test_whatever_does_not_end_is_bounded(writer, what):
    writer._producer.hang.add(what)
    with pytest.raises(Fatal, match="a transaction of app-3 took over"):
        await writer.write(writer.pack({"rows": some()}))


async def test_opening_is_bounded(writer):
    writer._producer.hang.add("start")
    with pytest.raises(Fatal, match="no producer epoch for app-3 within"):
        await writer.open(0.01)


async def test_a_producer_that_does_not_open_is_fatal_but_no_refusal(writer):
    writer._producer.start_error = ProducerFenced()
    with pytest.raises(Fatal, match="did not open") as caught:
        await writer.open(1)
    assert not isinstance(caught.value, Refusal)


async def test_closing_is_bounded(writer):
    writer._producer.hang.add("stop")
    with pytest.raises(TimeoutError):
        await writer.close(0.01)
