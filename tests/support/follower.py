"""Follows the committed changelog of an application while it is written."""

from __future__ import annotations

import asyncio
import operator
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from stream_app.domain.batch import TOPICS
from stream_app.engine import Profiles, Program
from stream_app.engine.changelog import META, Loader, Meta
from stream_app.kafka.topics import TopicPlan


class Follower:
    """What a restore would find now: profiles and next offsets of every partition.

    Fails where the offsets of a later transaction are behind those of an earlier one.
    """

    def __init__(self, servers: str, plan: TopicPlan, program: Program) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        self.loaders = [Loader(program, n, plan.partitions) for n in range(plan.partitions)]
        self.transactions: Counter[int] = Counter()
        self._parts = [TopicPartition(plan.changelog, n) for n in range(plan.partitions)]

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.assign(self._parts)
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))
        await self._consumer.stop()

    def next(self, partition: int) -> Mapping[str, int]:
        """Next offset by input, as the last transaction of `partition` says."""
        meta = self.loaders[partition].meta
        return meta.next if meta else dict.fromkeys(TOPICS, 0)

    def committed(self) -> int:
        """Events folded by committed transactions."""
        return sum(self.by_partition())

    def by_partition(self) -> list[int]:
        """The same of each partition."""
        return [sum(self.next(n).values()) for n in range(len(self.loaders))]

    def overdue(self) -> int:
        """Rows whose time had come at the last transaction of their partition."""
        return sum(
            len(loader.profiles.due_slots(loader.meta.time, 2**31 - 1))
            for loader in self.loaders
            if loader.meta
        )

    async def until(self, done: Callable[[], bool], seconds: float = 90.0) -> None:
        """Return when `done()`; TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds):
            while not done():
                if self._task.done():
                    self._task.result()
                await asyncio.sleep(0.01)

    async def advance(self, events: int, seconds: float = 90.0) -> None:
        """Return when `events` more events are committed than now."""
        goal = self.committed() + events
        await self.until(lambda: self.committed() >= goal, seconds)

    async def advance_each(self, events: int, seconds: float = 90.0) -> None:
        """Return when every partition has committed `events` more events than now."""
        goals = [folded + events for folded in self.by_partition()]
        await self.until(
            lambda: all(map(operator.ge, self.by_partition(), goals)),
            seconds,
        )

    def finish(self) -> list[Profiles]:
        """The profiles, as a restore would hand them over."""
        return [loader.finish() for loader in self.loaders]

    async def _follow(self) -> None:
        while True:
            for part, records in (await self._consumer.getmany(timeout_ms=100)).items():
                self._check(part.partition, records)
                self.loaders[part.partition].add([(r.key, r.value) for r in records])

    def _check(self, partition: int, records: list[ConsumerRecord]) -> None:
        before = self.next(partition)
        for record in records:
            if record.key == META:
                following = msgspec.json.decode(record.value, type=Meta).next
                assert all(following.get(name, 0) >= offset for name, offset in before.items()), (
                    f"offsets of partition {partition} fell from {before} to {following}"
                )
                before = following
                self.transactions[partition] += 1
