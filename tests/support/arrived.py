"""Events that lie elsewhere than their users, and their topic once they have arrived."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from aiokafka import TopicPartition
from support.broker import Message, produce, read_to_end
from support.clicks import START, click
from support.settled import Event

from stream_app.domain.partitioner import PARTITIONERS
from stream_app.kafka.client.committed import committed
from stream_app.kafka.topics import TopicPlan

_murmur2 = PARTITIONERS["murmur2"]


async def misplace(servers: str, plan: TopicPlan, events: list[Event]) -> None:
    """Send each event to the partition behind its user's."""
    split: dict[tuple[str, int], list[Message]] = defaultdict(list)
    for event in events:
        user, name = event.user.encode(), (plan.clicks, plan.purchases)[event.topic]
        place = (_murmur2(user, plan.partitions) + 1) % plan.partitions
        split[name, place].append(Message(user, event.value))
    for (name, place), messages in split.items():
        await produce(servers, name, messages, partition=place)


async def on_its_way(servers: str, plan: TopicPlan, user: str) -> int:
    """Route a click of a user, as another worker would have; returns the partition."""
    number = _murmur2(user.encode(), plan.partitions)
    headers = {"input": "clicks", "topic": plan.clicks, "partition": "0", "offset": "99"}
    headers["timestamp"] = str(START)
    coded = [(name, value.encode()) for name, value in headers.items()]
    sent = Message(user.encode(), click(user, 77, START), headers=coded)
    await produce(servers, plan.routed, [sent], partition=number)
    return number


async def purged(servers: str, plan: TopicPlan) -> int:
    """How many offsets were deleted of the routed events, once none of these is left."""
    parts = [TopicPartition(plan.routed, number) for number in range(plan.partitions)]
    async with asyncio.timeout(30), committed({"bootstrap_servers": servers}, 10) as reader:
        while True:
            gone = sum((await reader.firsts(parts)).values())
            if gone and not await read_to_end(servers, plan.routed):
                return gone
            await asyncio.sleep(0.1)
