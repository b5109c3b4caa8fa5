"""How long after an event is produced the change that it caused can be read, read_committed.

Every event's id carries its number, and the time at which it was handed to the producer is kept by
number. A change names the event that caused it, so its delay is the time at which the probe's
consumer returned it, less that event's time. Changes without a cause (time alone) do not count.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import numpy as np
import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from numpy.typing import NDArray

from bench import events
from bench.lanes import PARTITIONS, Lane
from bench.load import Loader, loading
from bench.partitioning import partitions_of
from stream_app.domain.clock import to_rfc3339

#: So often the producer sends what is due, as one that lingers so long would.
_TICK_S: Final = 0.01
#: Readers wait so long for the last changes.
_TAIL_S: Final = 3.0

#: Topic, partition, key, and the value before and after the event's moment.
Waiting = tuple[str, int, bytes, bytes, bytes]


async def measure(
    lane: Lane, rate: int, seconds: float, users: int, rng: np.random.Generator, *, skip_s: float
) -> dict[str, Any]:
    """Produce `rate` events a second for `seconds`; the first `skip_s` are not counted.

    A worker must be running on the lane, with nothing left to read.
    """
    total = int(rate * seconds)
    sent = np.zeros(total, np.float64)
    waiting = _prepare(lane, f"live{rate}", events.zipf(total, users, rng), rng)
    async with _no_collections(), Probe(lane) as probe, loading(lane.servers) as loader:
        reading = asyncio.create_task(probe.read(f"live{rate}", sent))
        try:
            began = await _produce(loader, rate, waiting, sent)
            await loader.flush()
            took = time.monotonic() - began
            await asyncio.sleep(_TAIL_S)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    return _percentiles(probe, sent, began + skip_s) | {"sent_per_second": round(total / took)}


@asynccontextmanager
async def _no_collections() -> AsyncIterator[None]:
    """Going through half a million prepared events would hold up producer and probe: they would
    measure their own pauses.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _prepare(
    lane: Lane, prefix: str, users: NDArray[np.int64], rng: np.random.Generator
) -> list[Waiting]:
    """Events that lack only their moment, so that producing them takes the worker little time."""
    made = events.make(users, np.zeros(len(users), np.int64), prefix, rng)
    partitions = partitions_of(made.key, PARTITIONS).tolist()
    rows = zip(made.topic.tolist(), partitions, made.key, made.value, strict=True)
    waiting: list[Waiting] = []
    for topic, partition, key, value in rows:
        head, mark, rest = value.partition(b'"occurred_at":"')
        tail = rest[rest.index(b'"') :]
        waiting.append((lane.inputs[topic], partition, key, head + mark, tail))
    return waiting


async def _produce(
    loader: Loader, rate: int, waiting: list[Waiting], sent: NDArray[np.float64]
) -> float:
    began, first, total = time.monotonic(), 0, len(waiting)
    while first < total:
        await asyncio.sleep(_TICK_S)
        now = time.monotonic()
        due = min(total, int((now - began) * rate))
        sent[first:due] = now
        moment = to_rfc3339(time.time_ns() // 1_000_000).encode()
        for topic, partition, key, head, tail in waiting[first:due]:
            await loader.append(topic, partition, key, head + moment + tail)
        await loader.send()
        first = due
    return began


class Probe:
    """A reader of a lane's tag changes, as a consumer of tags would be."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self.events: list[int] = []
        self.delays: list[float] = []
        self.without_cause = 0

    async def __aenter__(self) -> Probe:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._lane.servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
        )
        await self._consumer.start()
        parts = [TopicPartition(self._lane.plan.tags, number) for number in range(PARTITIONS)]
        self._consumer.assign(parts)
        await self._consumer.seek_to_end(*parts)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._consumer.stop()

    async def read(self, prefix: str, sent: NDArray[np.float64]) -> None:
        """Read until cancelled; the cause `prefix`-N was sent at `sent[N]`."""
        while True:
            fetched = await self._consumer.getmany(timeout_ms=1_000)
            now = time.monotonic()
            for records in fetched.values():
                for record in records:
                    self._take(orjson.loads(record.value)["cause"], prefix, now, sent)

    def _take(
        self, cause: dict[str, Any] | None, prefix: str, now: float, sent: NDArray[np.float64]
    ) -> None:
        name, _, number = cause["event_id"].rpartition("-") if cause else ("", "", "")
        if name == prefix:
            self.events.append(int(number))
            self.delays.append(now - float(sent[int(number)]))
        else:
            self.without_cause += 1


def _percentiles(probe: Probe, sent: NDArray[np.float64], since: float) -> dict[str, Any]:
    counted = sent[np.array(probe.events, np.int64)] >= since
    delays = np.array(probe.delays)[counted] * 1000
    if not len(delays):
        return {"p50_ms": None, "p99_ms": None, "changes": 0}
    p50, p99, longest = np.percentile(delays, (50, 99, 100)).round(1).tolist()
    return {
        "p50_ms": p50,
        "p99_ms": p99,
        "max_ms": longest,
        "changes": len(delays),
        "changes_without_cause": probe.without_cause,
    }
