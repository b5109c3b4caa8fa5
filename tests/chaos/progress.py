"""How far an application has committed, by what it says in the changelog while it runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chaos.changelog import META
from stream_app.kafka.topics import TopicPlan

#: Next offsets by input and partition.
Offsets = Mapping[tuple[int, int], int]


class Progress:
    """Follows the committed next offsets; it outlives brokers that go and come."""

    def __init__(self, servers: str, plan: TopicPlan) -> None:
        self.following: dict[tuple[int, int], int] = {}
        self._parts = [TopicPartition(plan.changelog, n) for n in range(plan.partitions)]
        self._changed = asyncio.Condition()
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            metadata_max_age_ms=5_000,
        )

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.assign(self._parts)
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._consumer.stop()

    @property
    def committed(self) -> int:
        """Offsets that committed transactions have passed."""
        return sum(self.following.values())

    def reached(self, goal: Offsets) -> bool:
        """Whether all that lies below `goal` is folded and committed."""
        return all(self.following.get(place, 0) >= end for place, end in goal.items())

    async def until(self, goal: Offsets, seconds: float) -> None:
        """Return when `goal` is reached; TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: self._task.done() or self.reached(goal))
        if self._task.done():
            self._task.result()

    async def _follow(self) -> None:
        while True:
            try:
                fetched = await self._consumer.getmany(timeout_ms=500)
            except KafkaError:
                continue
            for part, records in fetched.items():
                for record in records:
                    if record.key == META:
                        for topic, end in enumerate(json.loads(record.value)["next"].values()):
                            # It never falls; where it does, that is for the checker to find.
                            place = topic, part.partition
                            self.following[place] = max(end, self.following.get(place, 0))
            async with self._changed:
                self._changed.notify_all()
