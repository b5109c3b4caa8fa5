"""Sends made-up traffic to the inputs, and remembers what was sent and where it went."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from support.broker import Message, produce
from support.traffic import TOPICS, Made, Traffic

from stream_app.domain.partitioner import PARTITIONERS
from stream_app.kafka.topics import TopicPlan

_murmur2 = PARTITIONERS["murmur2"]
PORTION = 2_000


class Feeder:
    """The only producer of a test's inputs, so that offsets are known: from 0, without holes."""

    def __init__(self, servers: str, plan: TopicPlan, traffic: Traffic) -> None:
        self.sent: list[Made] = []
        #: Records by (topic index, partition): the next offset.
        self.ends: Counter[tuple[int, int]] = Counter()
        #: Positions (topic name, partition, offset) of what has to be refused.
        self.refused: Counter[tuple[str, int, int]] = Counter()
        self._servers = servers
        self._names = (plan.clicks, plan.purchases)
        self._partitions = plan.partitions
        self._traffic = traffic

    async def send(self, n: int = PORTION) -> None:
        """Send the next `n` events and wait until the broker has them."""
        portion = self._traffic.take(n)
        messages: list[list[Message]] = [[] for _ in TOPICS]
        for made in portion:
            messages[made.topic].append(Message(made.user.encode(), made.value))
        for name, part in zip(self._names, messages, strict=True):
            await produce(self._servers, name, part)
        for made in portion:
            place = made.topic, _murmur2(made.user.encode(), self._partitions)
            if made.refused:
                self.refused[self._names[made.topic], place[1], self.ends[place]] += 1
            self.ends[place] += 1
        self.sent += portion

    async def keep_busy(
        self, committed: Callable[[], int], stop: asyncio.Event, backlog: int = 3 * PORTION
    ) -> None:
        """Send until `stop`, so that always about `backlog` events wait."""
        while not stop.is_set():
            if len(self.sent) - committed() < backlog:
                await self.send()
            await asyncio.sleep(0.02)
