"""A state that grows and gets new features while producers put events anywhere: nothing is lost.

Clicks have three partitions, purchases four, and the state two, then four.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.any_producer import AnyProducer, make_topics, positions
from support.broker import environment, read_to_end
from support.checker import Consumer, check_dead_letters, check_tags, check_truth
from support.traffic import CATALOGUE, Traffic
from support.upkeep import SETTINGS, compiled, restored
from support.worker import Worker

from stream_app.cli import main
from stream_app.kafka.topics import TopicPlan

LATER = "  spend_total: {sum: purchase.value, window: all}\n"


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(CATALOGUE.replace(LATER, ""))
    return path


async def folded(worker: Worker, events: int) -> None:
    """Wait until a worker alone has read so many, and end it."""
    async with asyncio.timeout(60):
        while worker.metric("stream_app_events_total") < events or worker.metric("stream_app_lag"):
            assert worker.alive, worker.tail()
            await asyncio.sleep(0.05)
    assert worker.metric("stream_app_events_total") == events
    assert worker.metric("stream_app_routed_total") > 0.4 * events
    assert await asyncio.to_thread(worker.terminate) == 0


@pytest.mark.timeout(180)
async def test_more_partitions_and_features_where_events_lie_anywhere(
    kafka, plan: TopicPlan, catalogue: Path, run_worker, monkeypatch
) -> None:
    servers, traffic = kafka.bootstrap_servers, Traffic(5, users=300)
    small, settings = replace(plan, partitions=2), {"catalog": catalogue, **SETTINGS}
    for name, value in environment(servers, plan, **settings).items():
        monkeypatch.setenv(name, value)
    await make_topics(servers, small)
    producer = AnyProducer(servers, (plan.clicks, plan.purchases), traffic)

    async def say(*arguments: str) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, main, arguments)
        assert done.exit_code == 0, done.output + done.stderr
        return done.output

    async def fold(of: TopicPlan) -> None:
        worker = await asyncio.to_thread(run_worker, servers, of, **settings)
        before = producer.sent
        for _ in range(4):
            await producer.send()
        await folded(worker, producer.sent - before)

    await fold(small)
    grown = await say("repartition", "--apply")
    assert re.search(rf"{plan.clicks} +3 +3\b", grown), grown
    catalogue.write_text(CATALOGUE)
    filled = await say("replay", "--from-topic", "--apply")
    assert f"{len(traffic.truth)} profiles from" in filled
    check_truth(await restored(servers, plan, compiled(catalogue)), traffic.truth)
    await fold(plan)
    check_truth(await restored(servers, plan, compiled(catalogue)), traffic.truth)

    inputs = [r for one in (plan.clicks, plan.purchases) for r in await read_to_end(servers, one)]
    refused = positions(r for r in inputs if r.value in producer.refused)
    assert len(inputs) == producer.sent
    check_dead_letters(await read_to_end(servers, plan.dead_letters), refused)
    consumer = Consumer()
    # A user's changes are on two partitions: before and after.
    changes = await read_to_end(servers, plan.tags)
    consumer.follow(sorted(changes, key=lambda change: change.timestamp))
    states = await read_to_end(servers, plan.tag_state)
    check_tags(consumer, [state for state in states if state.value is not None])
