"""More partitions for topics that exist; Kafka cannot take any away."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from stream_app.kafka.topics.admin import CREATE_SECONDS

_PAUSE_S: Final = 0.05


async def check_growth(admin: AIOKafkaAdminClient, wanted: Mapping[str, int]) -> None:
    """Raise aiokafka's KafkaError where Kafka would not let this user do so; nothing is changed."""
    there = await _led(admin)
    short = {topic: n for topic, n in wanted.items() if there.get(topic, 0) < n}
    if short:
        await admin.create_partitions(_numbers(short), validate_only=True)


def _numbers(wanted: Mapping[str, int]) -> dict[str, NewPartitions]:
    return {topic: NewPartitions(n) for topic, n in wanted.items()}


async def grow(admin: AIOKafkaAdminClient, wanted: Mapping[str, int]) -> list[str]:
    """Give each topic so many partitions, and wait for their leaders; the topics that grew.

    Topics that have them already are left alone. Raises aiokafka's KafkaError.
    """
    there = await _led(admin)
    short = {topic: n for topic, n in wanted.items() if there.get(topic, 0) < n}
    if short:
        await admin.create_partitions(_numbers(short))
    async with asyncio.timeout(CREATE_SECONDS):
        while True:
            led = await _led(admin)
            if all(led.get(topic, 0) >= n for topic, n in wanted.items()):
                return sorted(short)
            await asyncio.sleep(_PAUSE_S)


async def _led(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """How many partitions of each topic have a leader."""
    described: list[dict[str, Any]] = await admin.describe_topics()
    return {
        topic["topic"]: sum(part["leader"] >= 0 for part in topic["partitions"])
        for topic in described
    }
