"""More partitions for an application that has state: killed at every step, it comes to its end."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from click.testing import CliRunner, Result
from support.arrived import on_its_way
from support.broker import environment, read_to_end
from support.clicks import CATALOGUE, START
from support.settled import fold, settle
from support.upkeep import (
    SETTINGS,
    USERS,
    at_home,
    compiled,
    events,
    features,
    followed,
    restored,
    run,
    send,
)

from stream_app.cli import main
from stream_app.engine.changelog import META
from stream_app.kafka.errors import Refusal
from stream_app.kafka.partition.turns import Turns
from stream_app.kafka.recovery.restore import restore
from stream_app.kafka.topics import TopicPlan, ensure_topics, topic_specs
from stream_app.kafka.topics.grow import grow

STEPS = ["grown", "grown:3", "moving", "moved:2", "ending"]


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(CATALOGUE)
    return path


async def say(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["repartition", *arguments])


@pytest.mark.timeout(180)
async def test_killed_at_every_step_it_ends_with_the_same_state(
    kafka, app_id: str, plan: TopicPlan, catalogue: Path, run_worker, monkeypatch
) -> None:
    servers = kafka.bootstrap_servers
    # Not a multiple: users move between the old partitions too, into dictionaries in use.
    small, large = replace(plan, partitions=2), replace(plan, partitions=3)
    await ensure_topics({"bootstrap_servers": servers}, small)
    program = compiled(catalogue)
    states = await settle(servers, small, program, events(0, 4), START)
    tags = at_home(await read_to_end(servers, small.tag_state), 2)
    settings = {"catalog": catalogue, **SETTINGS}
    env = environment(servers, large, **settings)

    code, said = await run(env, "-m", "support.dying", "repartition", *STEPS)
    assert code == 0, said
    # Half changed, it is restored by nobody.
    for number in range(3):
        with pytest.raises(Refusal, match="`stream-app repartition --to 3 --apply` has begun"):
            await restored_by_worker(servers, large, number, program)

    for name, value in env.items():
        monkeypatch.setenv(name, value)
    done = await say("--apply")
    assert done.exit_code == 0, done.stderr
    assert re.search(rf"users +{len(USERS)} +{len(USERS)}\b", done.output)
    assert "Set STREAM_APP_PARTITIONS=3" in done.output
    again = await say("--apply")
    assert (again.exit_code, "nothing to do" in again.output) == (0, True)

    assert features(await restored(servers, large, program)) == features(states)
    assert at_home(await read_to_end(servers, large.tag_state), 3) == tags
    rows = [r for r in await read_to_end(servers, large.changelog) if r.key[:1] != b"\0"]
    assert len(at_home(rows, 3)) == len(USERS)

    # What comes next is counted on top, by whoever has the user now.
    worker = await asyncio.to_thread(run_worker, servers, large, **settings)
    await send(servers, large, events(4, 1))
    wanted = features(fold(program, events(0, 5), 3, START))
    await followed(servers, large, program, wanted)
    assert not await read_to_end(servers, large.dead_letters)
    alive = await say("--to", "6", "--apply")
    assert (alive.exit_code, "1 worker(s) of group" in alive.stderr) == (2, True)

    # Events of before lie where their users were then: filled anew, everything is the same.
    assert await asyncio.to_thread(worker.terminate) == 0
    every = ["--feature=clicks_24h", "--feature=spend_30d", "--feature=interests"]
    filled = await asyncio.to_thread(
        CliRunner().invoke, main, ["replay", "--from-topic", *every, "--apply"]
    )
    assert filled.exit_code == 0, filled.stderr
    assert "from 1,200 events" in filled.output
    assert features(await restored(servers, large, program)) == wanted
    metas = [r.value for r in await read_to_end(servers, large.changelog) if r.key == META]
    assert b'"partitions":3' in metas[-1]
    assert b'"was":[2]' in metas[-1]


async def restored_by_worker(servers: str, plan: TopicPlan, number: int, program: Any) -> None:
    """Restore a partition as a worker's task does."""
    part = TopicPartition(plan.changelog, number)
    options = {"bootstrap_servers": servers}
    await restore(options, part, program, plan.partitions, 30, lambda: None, Turns())


async def grown(servers: str, larger: TopicPlan) -> None:
    """Give every topic more partitions, and nothing else."""
    names = [spec.name for spec in topic_specs(larger)]
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await grow(admin, dict.fromkeys(names, larger.partitions))
    finally:
        await admin.close()


@pytest.mark.timeout(120)
async def test_refused_while_events_wait_as_workers_are_with_partitions_made_by_hand(
    kafka, topics: TopicPlan, catalogue: Path, monkeypatch
) -> None:
    servers, settings = kafka.bootstrap_servers, {"catalog": catalogue, **SETTINGS}
    program = compiled(catalogue)
    for name, value in environment(servers, topics, **settings).items():
        monkeypatch.setenv(name, value)

    await settle(servers, topics, program, events(0, 1), START)
    planned = await say("--to", "8")
    assert planned.exit_code == 0
    assert "--apply moves about 50% of the users" in planned.output
    await send(servers, topics, events(1, 1))
    for arguments in (["--to", "8"], ["--to", "8", "--apply"]):
        waiting = await say(*arguments)
        assert "240 events are not read yet" in waiting.output + waiting.stderr
    assert waiting.exit_code == 2
    # Also what was routed, by now that nothing is.
    await on_its_way(servers, topics, USERS[0])
    monkeypatch.setenv("STREAM_APP_ROUTE", "never")
    assert "241 events are not read yet" in (await say("--to", "8")).output
    monkeypatch.setenv("STREAM_APP_ROUTE", "auto")
    fewer = await say("--to", "3")
    assert fewer.exit_code == 2
    assert "another STREAM_APP_APP_ID" in fewer.stderr

    # Somebody adds partitions by hand: those that hold nothing yet refuse as the others do.
    larger = replace(topics, partitions=8)
    await grown(servers, larger)
    for number in (1, 5):
        with pytest.raises(Refusal, match=r"over 4 partitions, not over 8.*repartition --to 8"):
            await restored_by_worker(servers, larger, number, program)
