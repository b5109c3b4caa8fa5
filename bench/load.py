"""Puts events on a lane's inputs: keyed by user, in whole batches, before any clock starts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from bench.events import Events
from bench.lanes import PARTITIONS, Lane
from bench.partitioning import partitions_of

BATCH_BYTES = 512 * 1024
_UNCONFIRMED = 64


class Loader:
    """Sends batches to partitions; `flush` waits until everything is confirmed."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._open: dict[tuple[str, int], BatchBuilder] = {}
        self._unconfirmed: list[asyncio.Future[Any]] = []

    async def append(
        self,
        topic: str,
        partition: int,
        key: bytes,
        value: bytes | memoryview,
        at: int | None = None,
    ) -> None:
        """Add a record to its partition's batch, and send the batch when it is full."""
        target = (topic, partition)
        batch = self._open.get(target)
        if batch is None:
            batch = self._open[target] = self._producer.create_batch()
        if batch.append(timestamp=at, key=key, value=value) is None:
            await self._submit(target)
            batch = self._open[target] = self._producer.create_batch()
            batch.append(timestamp=at, key=key, value=value)

    async def send(self) -> None:
        """Send every batch as it is, without waiting for confirmation."""
        for target in list(self._open):
            await self._submit(target)

    async def flush(self) -> None:
        """Send everything and wait for it; raises the first failure."""
        await self.send()
        await self._confirm()

    async def _submit(self, target: tuple[str, int]) -> None:
        batch = self._open.pop(target)
        topic, partition = target
        self._unconfirmed.append(await self._producer.send_batch(batch, topic, partition=partition))
        if len(self._unconfirmed) > _UNCONFIRMED:
            self._unconfirmed = [sent for sent in self._unconfirmed if not _good(sent)]
        if len(self._unconfirmed) > _UNCONFIRMED:
            await self._confirm()

    async def _confirm(self) -> None:
        await asyncio.gather(*self._unconfirmed)
        self._unconfirmed.clear()


def _good(sent: asyncio.Future[Any]) -> bool:
    return sent.done() and sent.exception() is None


@contextlib.asynccontextmanager
async def loading(
    servers: str, batch_bytes: int = BATCH_BYTES, compression: str | None = "zstd"
) -> AsyncIterator[Loader]:
    """A loader for the block; leaving it without error confirms everything."""
    producer = AIOKafkaProducer(
        bootstrap_servers=servers,
        enable_idempotence=True,
        compression_type=compression,
        max_batch_size=batch_bytes,
        max_request_size=4 * batch_bytes,
        linger_ms=0,
    )
    await producer.start()
    try:
        loader = Loader(producer)
        yield loader
        await loader.flush()
    finally:
        await asyncio.wait_for(producer.stop(), 30)


async def add_events(loader: Loader, lane: Lane, events: Events) -> None:
    """Append events to the inputs of `lane` with their arrival as the records' timestamp."""
    inputs = lane.inputs
    rows = zip(
        events.topic.tolist(),
        partitions_of(events.key, PARTITIONS).tolist(),
        events.key,
        events.value,
        events.arrived.tolist(),
        strict=True,
    )
    for topic, partition, key, value, arrived in rows:
        await loader.append(inputs[topic], partition, key, value, arrived)


async def fill(lane: Lane, chunks: Iterable[Events]) -> int:
    """Produce all events and return how many there are."""
    total = 0
    async with loading(lane.servers) as loader:
        for events in chunks:
            await add_events(loader, lane, events)
            total += len(events)
    return total
