"""A worker that starts on a large backlog keeps what it has not folded yet in the broker."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaProducer
from support.process import peak_mb
from support.stage import stage
from support.traffic import Traffic

from stream_app.domain.partitioner import PARTITIONERS
from stream_app.kafka.topics import TopicPlan
from stream_app.settings import Settings

EVENTS = 2_000_000
#: These are made once and sent again and again.
DISTINCT = 50_000
#: 120 MB for the program, and what is left for rounds and transactions under way, a few profiles,
#: and 0.8 kB for each of some 24,000 small events that wait for each of four partitions. It is two
#: thirds of that; where fetches are kept until the collector comes, it is over 300.
BOUND_MB = 220
#: A quarter of what may wait before fetching pauses: it is told when a round has taken its events.
WAITING = Settings().queue_records


@pytest.mark.timeout(240)
async def test_a_large_backlog_waits_in_the_broker_and_not_in_memory(
    kafka, topics, run_worker, tmp_path
) -> None:
    servers = kafka.bootstrap_servers
    await send_over_and_over(servers, topics, EVENTS)
    async with stage(servers, topics, run_worker, tmp_path, 41) as on:
        worker = await on.started(round_records=Settings().round_records)
        waited = 0.0
        while on.follower.committed() < EVENTS // 2:
            waited = max(waited, await asyncio.to_thread(worker.metric, "stream_app_queued"))
            assert peak_mb(worker) < BOUND_MB
            await asyncio.sleep(0.2)
        # There was more than fits, and it was fetched faster than folded.
        assert waited >= WAITING


async def send_over_and_over(servers: str, plan: TopicPlan, n: int) -> None:
    """Send the same small events again and again until there are `n`, in full batches."""
    place, names = PARTITIONERS["murmur2"], (plan.clicks, plan.purchases)
    split: dict[tuple[str, int], list[tuple[bytes, bytes]]] = {}
    for made in Traffic(41).take(DISTINCT):
        key = made.user.encode()
        where = names[made.topic], place(key, plan.partitions)
        split.setdefault(where, []).append((key, made.value))
    producer = AIOKafkaProducer(bootstrap_servers=servers, max_batch_size=2**19)
    async with producer:
        for _ in range(n // DISTINCT):
            await asyncio.gather(*(send(producer, *where, part) for where, part in split.items()))


async def send(
    producer: AIOKafkaProducer, topic: str, partition: int, part: list[tuple[bytes, bytes]]
) -> None:
    batch, sent = producer.create_batch(), []
    for key, value in part:
        while batch.append(key=key, value=value, timestamp=None) is None:
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
    sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)
