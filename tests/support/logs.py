"""A topic in memory, and what reads from and writes to it as Kafka's clients would."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from stream_app.kafka.client.log import Entry
from stream_app.kafka.client.writer import Outgoing
from stream_app.kafka.errors import Fatal


class Topic:
    """Records by offset.

    `away` is how many questions come to Fatal before one is answered, `broken` how many fetches;
    while brokers are away, a fetch finds nothing.
    """

    def __init__(self, *records: tuple[bytes, bytes | None], first: int = 0) -> None:
        self.records = [Entry(first + i, *record) for i, record in enumerate(records)]
        self.first = first
        self.away = self.broken = 0
        self.opened = 0
        self.closed = 0

    @property
    def end(self) -> int:
        return self.records[-1].offset + 1 if self.records else self.first

    def add(self, key: bytes, value: bytes | None) -> None:
        self.records.append(Entry(self.end, key, value))


class FakeLog:
    """Stands for `kafka.client.log.Log`."""

    def __init__(self, topic: Topic, name: str = "topic") -> None:
        self.topic = name
        self._from = topic
        self._next = topic.first

    def _answer(self) -> None:
        if self._from.away:
            self._from.away -= 1
            raise Fatal("the brokers are away")

    async def open(self) -> int:
        self._from.opened += 1
        self._answer()
        return self._from.first

    def skip_to(self, offset: int) -> None:
        self._next = max(self._next, offset)

    async def end(self) -> int:
        self._answer()
        return self._from.end

    async def position(self) -> int:
        return self._next

    async def take(self, most: int) -> list[Entry]:
        await asyncio.sleep(0.001)
        if self._from.broken:
            self._from.broken -= 1
            raise Fatal("records failed")
        if self._from.away:
            return []
        found = [entry for entry in self._from.records if entry.offset >= self._next][:most]
        if found:
            self._next = found[-1].offset + 1
        return found

    async def close(self) -> None:
        self._from.closed += 1


class FakeWriter:
    """Stands for `TransactionWriter`: commits to topics in memory, unless it was fenced."""

    def __init__(self, topics: Mapping[str, Topic]) -> None:
        self._topics = topics
        self.transactions: list[list[Outgoing]] = []
        self.opened = self.closed = False
        self.fenced = False

    async def open(self, timeout_s: float) -> None:
        self.opened = True

    def pack(self, outputs: Mapping[str, Iterable[Outgoing]]) -> Any:
        return {topic: list(records) for topic, records in outputs.items()}

    async def write(self, packed: Any) -> None:
        if self.fenced:
            raise Fatal("a transaction failed and was not committed: ProducerFenced()")
        for topic, records in packed.items():
            self.transactions.append(records)
            for key, value, _ in records:
                self._topics[topic].add(key, value)

    async def close(self, timeout_s: float) -> None:
        self.closed = True


async def until(holds: Any, seconds: float = 5.0) -> None:
    """Return when it holds."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.001)
