"""Where events go, in which order, and with which time."""

from __future__ import annotations

import asyncio
import json
import math

import pytest

from stream_app.data.checks import Checker
from stream_app.data.lines import Chunk
from stream_app.domain.batch import CLICKS, PURCHASES
from stream_app.domain.partitioner import PARTITIONERS
from stream_app.kafka.console.produce import ProduceError, Sender, Sent, refuse_vanishing

NOW = 1_500_000_000_000
DAY = 86_400_000


class FakeBatch:
    """Holds three records, as a real batch holds so many bytes."""

    def __init__(self):
        self.records = []

    def append(self, *, timestamp, key, value):
        if len(self.records) == 3:
            return None
        self.records.append((timestamp, key, value))
        return object()


class FakeProducer:
    def __init__(self, failing=False):
        self.sent = {}
        self.failing = failing

    def create_batch(self):
        return FakeBatch()

    async def send_batch(self, batch, topic, *, partition):
        self.sent.setdefault((topic, partition), []).extend(batch.records)
        future = asyncio.get_running_loop().create_future()
        if self.failing:
            future.set_exception(RuntimeError("refused"))
        else:
            future.set_result(None)
        return future


def checked(n=40, users=7, at=NOW):
    lines = []
    for i in range(n):
        event = {"event_id": str(i), "user_id": f"u{i % users}", "occurred_at": at - i}
        kind = {"type": "refund", "value": 1, "currency": "USD"} if i % 3 == 0 else {}
        lines.append(json.dumps({"type": "login", **event, **kind}).encode())
    checker = Checker(max_event_bytes=1000, future_ms=None, retention_ms=None)
    return checker.check(Chunk("f", 1, lines, 0), NOW)


async def send(producer, events, event_time=True):
    sender = Sender(producer, ("c", "p"), [4, 4], event_time)
    await sender.send(events, 0, 25)
    await sender.send(events, 25, len(events))
    await sender.confirm()


async def test_every_event_goes_to_the_partition_of_its_user_in_order():
    producer, events = FakeProducer(), checked()
    await send(producer, events)
    expected = {}
    for topic, user, value, at in zip(
        events.topic, events.user, events.value, events.at.tolist(), strict=True
    ):
        key = user.encode()
        target = ({CLICKS: "c", PURCHASES: "p"}[topic], PARTITIONERS["murmur2"](key, 4))
        expected.setdefault(target, []).append((at, key, value))
    assert producer.sent == expected
    assert len(expected) > 4


async def test_records_get_the_present_when_events_do_not_keep_their_time():
    producer = FakeProducer()
    await send(producer, checked(), event_time=False)
    assert {record[0] for part in producer.sent.values() for record in part} == {None}


async def test_a_refused_batch_is_an_error():
    with pytest.raises(RuntimeError, match="refused"):
        await send(FakeProducer(failing=True), checked())


def test_history_that_kafka_would_delete_is_refused():
    events = checked(at=NOW - 8 * DAY)
    refuse_vanishing(events, math.inf, NOW)
    refuse_vanishing(events, 9 * DAY, NOW)
    with pytest.raises(ProduceError, match=r"line 40 .* older than the 7\.0 days"):
        refuse_vanishing(events, 7 * DAY, NOW)
    refuse_vanishing(events.before(1), 7 * DAY, NOW)


def test_the_rate_is_of_both_topics():
    assert Sent([30, 10], 2.0).rate == 20
    assert Sent().rate == 0
