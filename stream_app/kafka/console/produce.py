"""Checked events to Kafka: keyed by user, batched per partition, idempotent, at a given pace."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from stream_app.data.checks import Checked
from stream_app.domain.clock import to_rfc3339
from stream_app.domain.partitioner import PARTITIONERS
from stream_app.kafka.console.pace import Pace
from stream_app.kafka.topics import TopicPlan, TopicsError, ensure_topics
from stream_app.settings import Settings

#: Bytes of a batch before compression; well below what a broker takes by default.
BATCH_BYTES: Final = 512 * 1024
STOP_SECONDS: Final = 10.0
#: With a pace, events are sent at most so often, so that each request carries several.
TICK_SECONDS: Final = 0.005
_KNOWN_USERS: Final = 1_000_000
_UNCONFIRMED: Final = 64


class ProduceError(Exception):
    """Nothing can be sent; the message says what to do."""


@dataclass(slots=True)
class Sent:
    """What has been written and confirmed: events by topic (clicks, purchases), and seconds."""

    events: list[int] = field(default_factory=lambda: [0, 0])
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """Events of both topics."""
        return sum(self.events)

    @property
    def rate(self) -> float:
        """Events a second, from the first one read to the last one confirmed."""
        return self.total / self.seconds if self.seconds else 0.0


async def produce(
    chunks: Iterator[Checked],
    settings: Settings,
    pace: Pace,
    *,
    event_time: bool = True,
    progress: Callable[[Checked, int], None] = lambda chunk, total: None,
) -> Sent:
    """Send every event and return when all are confirmed.

    A record's timestamp is the event's time, or the present if not `event_time`. The next chunk is
    read and checked in a thread while one is sent. Raises ProduceError when a topic is missing and
    aiokafka's KafkaError when no broker answers or one refuses.
    """
    kept_ms = await _kept_ms(settings)
    sent, started = Sent(), time.monotonic()
    async with _sender(settings, event_time) as sender:
        upcoming = asyncio.create_task(asyncio.to_thread(next, chunks, None))
        try:
            while (chunk := await upcoming) is not None:
                upcoming = asyncio.create_task(asyncio.to_thread(next, chunks, None))
                if event_time:
                    refuse_vanishing(chunk, kept_ms, int(time.time() * 1000))
                await _send_paced(sender, chunk, pace, started)
                for topic in chunk.topic:
                    sent.events[topic] += 1
                progress(chunk, sent.total)
        finally:
            upcoming.cancel()
        await sender.confirm()
    sent.seconds = time.monotonic() - started
    return sent


async def _kept_ms(settings: Settings) -> float:
    """How long the input topics keep a record, by its timestamp; ProduceError if one is missing."""
    findings = await ensure_topics(settings.client_options(), TopicPlan.of(settings), create=False)
    names = (settings.clicks_topic, settings.purchases_topic)
    unseen = [f.unseen for f in findings if f.spec.name in names and f.unseen]
    if unseen:
        raise TopicsError(unseen)
    inputs = {f.spec.name: f.found for f in findings if f.spec.name in names}
    missing = [name for name, found in inputs.items() if found is None]
    if missing:
        raise ProduceError(
            f"no topic {' and no topic '.join(missing)} on {settings.bootstrap_servers}: "
            "`stream-app topics --apply` creates them"
        )
    kept = [int(found.config.get("retention.ms", -1)) for found in inputs.values() if found]
    return min(ms if ms >= 0 else math.inf for ms in kept)


def refuse_vanishing(chunk: Checked, kept_ms: float, now: int) -> None:
    """History keeps its times, and Kafka would delete what is older than a topic's retention."""
    if not len(chunk) or now - int(chunk.at.min()) <= kept_ms:
        return
    oldest = int(chunk.line[int(chunk.at.argmin())])
    raise ProduceError(
        f"the event of line {oldest} ({to_rfc3339(int(chunk.at.min()))}) is older than the "
        f"{kept_ms / 86_400_000:.1f} days that the topics keep, by their records' times: Kafka "
        "would delete it unread. Set retention.ms=-1 on them, or use --timestamps now"
    )


@asynccontextmanager
async def _sender(settings: Settings, event_time: bool) -> AsyncIterator[Sender]:
    compression = None if settings.compression == "none" else settings.compression
    producer = AIOKafkaProducer(
        **settings.client_options(),
        enable_idempotence=True,
        compression_type=compression,
        max_batch_size=BATCH_BYTES,
        linger_ms=0,
    )
    try:
        await producer.start()
        topics = (settings.clicks_topic, settings.purchases_topic)
        partitions = [len(await producer.partitions_for(topic)) for topic in topics]
        yield Sender(producer, topics, partitions, event_time)
    finally:
        await asyncio.wait_for(producer.stop(), STOP_SECONDS)


async def _send_paced(sender: Sender, chunk: Checked, pace: Pace, started: float) -> None:
    if pace.free:
        await sender.send(chunk, 0, len(chunk))
        return
    due = pace.due(chunk.at) + started
    begin = 0
    while begin < len(chunk):
        await asyncio.sleep(max(float(due[begin]) - time.monotonic(), TICK_SECONDS))
        end = max(int(due.searchsorted(time.monotonic(), side="right")), begin + 1)
        await sender.send(chunk, begin, end)
        begin = end


class Sender:
    """Puts events on the partition of their user's murmur2 hash, as the Java client does."""

    def __init__(
        self,
        producer: Any,
        topics: tuple[str, str],
        partitions: list[int],
        event_time: bool,
    ) -> None:
        self._producer = producer
        self._topics = topics
        self._partitions = partitions
        self._event_time = event_time
        self._users: dict[str, tuple[bytes, int, int]] = {}
        self._unconfirmed: list[asyncio.Future[Any]] = []

    async def send(self, events: Checked, begin: int, end: int) -> None:
        """Hand the events [begin, end) to the producer; a user's stay in order in each topic."""
        open_batches: dict[tuple[int, int], BatchBuilder] = {}
        stamps = events.at[begin:end].tolist() if self._event_time else [None] * (end - begin)
        rows = zip(
            events.topic[begin:end],
            events.user[begin:end],
            events.value[begin:end],
            stamps,
            strict=True,
        )
        for topic, user, value, stamp in rows:
            key, *places = self._users.get(user) or self._place(user)
            target = (topic, places[topic])
            batch = open_batches.get(target)
            if batch is None:
                batch = open_batches[target] = self._producer.create_batch()
            if batch.append(timestamp=stamp, key=key, value=value) is None:
                await self._submit(target, batch)
                batch = open_batches[target] = self._producer.create_batch()
                batch.append(timestamp=stamp, key=key, value=value)
        for target, batch in open_batches.items():
            await self._submit(target, batch)

    async def confirm(self) -> None:
        """Wait until everything that was sent is confirmed; raises the first failure."""
        await asyncio.gather(*self._unconfirmed)
        self._unconfirmed.clear()

    async def _submit(self, target: tuple[int, int], batch: BatchBuilder) -> None:
        topic, partition = target
        sent = await self._producer.send_batch(batch, self._topics[topic], partition=partition)
        self._unconfirmed.append(sent)
        if len(self._unconfirmed) > _UNCONFIRMED:
            await self.confirm()

    def _place(self, user: str) -> tuple[bytes, int, int]:
        """A user's key and partitions, remembered: murmur2 is slow in Python."""
        if len(self._users) >= _KNOWN_USERS:
            self._users.clear()
        key, murmur2 = user.encode(), PARTITIONERS["murmur2"]
        place = (key, murmur2(key, self._partitions[0]), murmur2(key, self._partitions[1]))
        self._users[user] = place
        return place
