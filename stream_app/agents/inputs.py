"""Agents on clicks, purchases, and what other workers have routed to this one.

An agent sees fetches, not events: an exception in an agent would acknowledge the event that caused
it, so nothing here can fail on input. Decoding, folding and deciding are the partition tasks'.
"""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Any

import faust

from stream_app.kafka.faust_adapters.partitions import Partitions
from stream_app.kafka.faust_adapters.transport import Fetched, FetchSchema
from stream_app.settings import Settings


def add_agents(app: faust.App, settings: Settings, partitions: Partitions) -> None:
    """Subscribe `app` to its inputs and have every fetch offered to `partitions`."""
    for name in (settings.clicks_topic, settings.purchases_topic):
        add_agent(app, partitions, name)


def add_agent(app: faust.App, partitions: Partitions, name: str) -> None:
    """Subscribe `app`, which has not started yet, to the topic `name`."""
    topic = app.topic(name, schema=FetchSchema(), acks=False, internal=False)
    app.agent(topic, name=f"fold-{name}")(_folding(partitions))


def _folding(partitions: Partitions) -> Any:
    async def fold(stream: AsyncIterable[Fetched]) -> None:
        async for event in stream.noack().events():  # type: ignore[attr-defined]
            partitions.offer(event.value)

    return fold
