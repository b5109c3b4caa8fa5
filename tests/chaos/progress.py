"""How far an application has committed, by what it says in the changelog while it runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chaos.changelog import META, Input, positions
from stream_app.kafka.topics import TopicPlan

#: Next offsets by input and partition.
Offsets = Mapping[Input, int]
_ROUTED = "routed"
_LOOK_S = 0.2


class Progress:
    """Follows the committed next offsets, and what is routed; it outlives lost brokers."""

    def __init__(self, servers: str, plan: TopicPlan) -> None:
        self.following: dict[Input, int] = {}
        #: How many transactions have been seen.
        self.transactions = 0
        #: How far the internal topic is seen here, and its committed records' next offsets.
        self._passed: dict[TopicPartition, int] = {}
        self._routed: dict[Input, int] = {}
        self._plan = plan
        self._changed = asyncio.Condition()
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            metadata_max_age_ms=5_000,
        )
        #: Asked for the ends of the internal topic, whatever is open there.
        self._ends = AIOKafkaConsumer(bootstrap_servers=servers, metadata_max_age_ms=5_000)

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        await self._ends.start()
        self.follow(self._plan.partitions)
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._consumer.stop()
        await self._ends.stop()

    def follow(self, partitions: int) -> None:
        """Read so many partitions from now on, from their beginning."""
        topics = (self._plan.changelog, self._plan.routed)
        self._passed.clear()
        self._consumer.assign(
            [TopicPartition(t, n) for t in topics if t for n in range(partitions)]
        )

    @property
    def committed(self) -> int:
        """Offsets that committed transactions have passed."""
        return sum(self.following.values())

    def reached(self, goal: Offsets) -> bool:
        """Whether all that lies below `goal` is folded and committed."""
        return all(self.following.get(place, 0) >= end for place, end in goal.items())

    async def until(self, goal: Offsets, seconds: float) -> None:
        """Return when `goal` is reached, and what was routed then; TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds):
            await self._reach(lambda: self.reached(goal))
            ends = await self._routed_ends()
            await self._reach(
                lambda: all(self._passed.get(part, 0) >= end for part, end in ends.items())
            )
            routed = dict(self._routed)
            await self._reach(lambda: self.reached(routed))

    async def _reach(self, done: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._task.done() or done())
        if self._task.done():
            self._task.result()

    async def _routed_ends(self) -> dict[TopicPartition, int]:
        """The ends of the log of the internal topic: what is routed is there before its commit."""
        routed = [p for p in self._consumer.assignment() if p.topic == self._plan.routed]
        while routed:
            with suppress(KafkaError):
                ends: dict[TopicPartition, int] = await self._ends.end_offsets(routed)
                return ends
            await asyncio.sleep(_LOOK_S)
        return {}

    async def _follow(self) -> None:
        while True:
            try:
                fetched = await self._consumer.getmany(timeout_ms=int(_LOOK_S * 1000))
            except KafkaError:
                continue
            for part, records in fetched.items():
                if part.topic == self._plan.routed:
                    self._raise(self._routed, {(_ROUTED, part.partition): records[-1].offset + 1})
                    continue
                for record in records:
                    if record.key == META:
                        self.transactions += 1
                        meta = json.loads(record.value)
                        self._raise(self.following, positions(meta, part.partition))
            for part in self._consumer.assignment():
                if part.topic == self._plan.routed:
                    # A position counts the markers of transactions too.
                    with suppress(KafkaError, TimeoutError):
                        async with asyncio.timeout(_LOOK_S):
                            self._passed[part] = await self._consumer.position(part)
            async with self._changed:
                self._changed.notify_all()

    @staticmethod
    def _raise(known: dict[Input, int], found: Offsets) -> None:
        # It never falls; where it does, that is for the checker to find.
        for place, end in found.items():
            known[place] = max(end, known.get(place, 0))
