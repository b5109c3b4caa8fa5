"""Producers that put events anywhere: each is counted once, checked from topics only.

Clicks have three partitions, purchases four; some producers are librdkafka's, some give no key,
some another one. Workers are killed meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable

import pytest
from aiokafka import ConsumerRecord
from support.any_producer import PORTION, AnyProducer, make_topics, positions
from support.broker import read_to_end
from support.checker import Consumer, check_dead_letters, check_tags, check_truth
from support.follower import Follower
from support.stage import SETTINGS
from support.traffic import CATALOGUE, Traffic

from stream_app.engine.catalogue import load_catalogue
from stream_app.kafka.topics import TopicPlan

PORTIONS = 24


def sources(records: Iterable[ConsumerRecord]) -> Counter[tuple[str, int, int]]:
    """Where the producers' records lie, by the headers of routed ones."""
    headers = [{name: value.decode() for name, value in r.headers} for r in records]
    return Counter((h["topic"], int(h["partition"]), int(h["offset"])) for h in headers)


async def settled(servers: str, plan: TopicPlan, follower: Follower) -> list[ConsumerRecord]:
    """Wait until every input is read, and then what was routed; return the inputs' records."""
    clicks, purchases = [await read_to_end(servers, one) for one in (plan.clicks, plan.purchases)]
    await read("clicks", clicks, follower)
    await read("purchases", purchases, follower)
    await read("routed", await read_to_end(servers, plan.routed), follower)
    return clicks + purchases


async def read(name: str, records: list[ConsumerRecord], follower: Follower) -> None:
    """Wait until all `records` are read."""
    ends = {record.partition: record.offset + 1 for record in records}

    def left() -> dict[int, tuple[int, int]]:
        found = {n: (follower.next(n).get(name, 0), end) for n, end in ends.items()}
        return {n: (at, end) for n, (at, end) in found.items() if at < end}

    try:
        await follower.until(lambda: not left())
    except TimeoutError:
        raise AssertionError(f"{name} are read up to, of, by partition: {left()}") from None


@pytest.mark.timeout(240)
async def test_events_are_counted_once_wherever_producers_put_them(
    kafka, plan, run_worker, tmp_path
) -> None:
    servers, moments = kafka.bootstrap_servers, random.Random(7)
    await make_topics(servers, plan)
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_text(CATALOGUE)
    program = load_catalogue(catalogue).compile()
    settings = SETTINGS | {"catalog": catalogue, "routed_purge_s": 0}
    traffic = Traffic(11)
    producer = AnyProducer(servers, (plan.clicks, plan.purchases), traffic)

    async with Follower(servers, plan, program) as follower:
        workers = [run_worker(servers, plan, ready=False, **settings) for _ in range(2)]
        for portion in range(PORTIONS):
            await producer.send()
            if portion % 6 == 5:
                # Of what was sent since the last one, or of what others have routed meanwhile.
                reached = producer.sent - moments.randrange(3 * PORTION)
                await follower.until(lambda reached=reached: follower.committed() >= reached)
                victim = moments.randrange(2)
                assert workers[victim].alive, workers[victim].tail()
                workers[victim].kill()
                workers[victim] = run_worker(servers, plan, ready=False, **settings)
        inputs = await settled(servers, plan, follower)
        for worker in workers:
            # All may be done before the last one has come so far as to know its signals.
            await asyncio.to_thread(worker.wait_ready)
            assert await asyncio.to_thread(worker.terminate) == 0
        committed = follower.finish()

    assert len(inputs) == producer.sent
    check_truth(committed, traffic.truth)
    refused = positions(r for r in inputs if r.value in producer.refused)
    check_dead_letters(await read_to_end(servers, plan.dead_letters), refused)
    routed = await read_to_end(servers, plan.routed)
    assert set(sources(routed).values()) == {1}
    assert sources(routed).keys() <= positions(inputs).keys() - refused.keys()
    # Of four ways three are arbitrary, and the fourth is so where partitions are three.
    assert 0.5 * len(inputs) < len(routed) < 0.8 * len(inputs)
    consumer = Consumer()
    consumer.follow(await read_to_end(servers, plan.tags))
    check_tags(consumer, await read_to_end(servers, plan.tag_state))
