"""New features of a live state: empty after a reload, or filled from what the inputs have kept."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from click.testing import CliRunner, Result
from support.arrived import on_its_way
from support.broker import environment
from support.clicks import CATALOGUE, START
from support.settled import fold, settle
from support.upkeep import (
    SETTINGS,
    USERS,
    compiled,
    events,
    features,
    followed,
    restored,
    run,
    send,
)

from stream_app.cli import main
from stream_app.kafka.topics import TopicPlan, ensure_topics

NEW = """features:
  views_7d: {count: view_item, window: 7d}
  device: {last: device}
  orders_ever: {count: purchase, window: all}
"""
#: New ones, and one whose window is longer.
MORE = CATALOGUE.replace("features:\n", NEW).replace("window: 30d", "window: 31d")
STEPS = ["written:2", "writing:5", "ending"]


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(CATALOGUE)
    return path


@pytest.fixture
def small(plan: TopicPlan) -> TopicPlan:
    return replace(plan, partitions=2)


async def say(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["replay", *arguments])


@pytest.mark.timeout(120)
async def test_killed_at_every_step_new_features_are_as_if_they_had_always_been_there(
    kafka, small: TopicPlan, catalogue: Path, monkeypatch
) -> None:
    servers = kafka.bootstrap_servers
    await ensure_topics({"bootstrap_servers": servers}, small)
    await settle(servers, small, compiled(catalogue), events(0, 3), START)
    # These the state has not read: workers will.
    await send(servers, small, events(3, 1))
    catalogue.write_text(MORE)
    env = environment(servers, small, catalog=catalogue, **SETTINGS)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")

    # Which profile would it be of?
    number = await on_its_way(servers, small, USERS[0])
    for route in ("auto", "never"):
        monkeypatch.setenv("STREAM_APP_ROUTE", route)
        waiting = await say("--from-topic", "--apply")
        assert waiting.exit_code == 2
        assert "1 routed events have not reached their users yet: start the" in waiting.stderr
    monkeypatch.setenv("STREAM_APP_ROUTE", "auto")
    await retained(servers, small.routed, number, 1)

    planned = await say("--from-topic")
    assert planned.exit_code == 0, planned.output
    assert re.search(r"views_7d +120 of 120 +yes", planned.output)
    assert "--apply fills them" in planned.output
    code, said = await run(env, "-m", "support.dying", "backfill", *STEPS)
    assert code == 0, said
    other = await say("--from-topic", "--feature", "device", "--apply")
    assert (other.exit_code, "was broken off: run that again first" in other.stderr) == (2, True)
    done = await say("--from-topic", "--apply")
    assert done.exit_code == 0, done.output + done.stderr
    program = compiled(catalogue)
    wanted = features(fold(program, events(0, 3), 2, START))
    assert wanted["user-0"]["views_7d"] == 3
    assert features(await restored(servers, small, program)) == wanted
    assert "nothing to fill" in (await say("--from-topic")).output

    await retained(servers, small.purchases, 0, 5)
    planned = await say("--from-topic", "--feature", "orders_ever", "--feature", "views_7d")
    assert f"{small.purchases}: retention has deleted 5 records" in planned.output
    assert re.search(r"orders_ever +120 of 120 +never: it counts from 20", planned.output)
    assert re.search(r"views_7d +120 of 120 +from 20", planned.output)


async def retained(servers: str, topic: str, number: int, first: int) -> None:
    """Delete what lies before `first` on a partition, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        part = TopicPartition(topic, number)
        await admin.delete_records({part: RecordsToDelete(before_offset=first)})
    finally:
        await admin.close()


@pytest.mark.timeout(180)
async def test_a_reload_and_a_restart_keep_old_features_and_fill_none(
    kafka, small: TopicPlan, catalogue: Path, run_worker, monkeypatch
) -> None:
    servers, settings = kafka.bootstrap_servers, {"catalog": catalogue, **SETTINGS}
    await ensure_topics({"bootstrap_servers": servers}, small)
    for name, value in environment(servers, small, **settings).items():
        monkeypatch.setenv(name, value)
    worker = await asyncio.to_thread(run_worker, servers, small, **settings)
    await send(servers, small, events(0, 2))
    before = compiled(catalogue)
    await followed(servers, small, before, features(fold(before, events(0, 2), 2, START)))

    catalogue.write_text(MORE)
    after = compiled(catalogue)
    async with asyncio.timeout(30):
        while after.catalogue.revision not in worker.text():
            await asyncio.sleep(0.05)
    await send(servers, small, events(2, 1))
    every = features(fold(after, events(0, 3), 2, START))
    empty = {"views_7d": 1, "orders_ever": 1}
    counted = {user: values | empty for user, values in every.items()}
    assert [values["spend_30d"] for values in counted.values()] == [75] * len(USERS)
    await followed(servers, small, after, counted)
    refused = await say("--from-topic", "--feature", "views_7d", "--apply")
    assert (refused.exit_code, "1 worker(s) of group" in refused.stderr) == (2, True)
    assert await asyncio.to_thread(worker.terminate) == 0

    # Workers have kept them for a while: that must be asked for.
    assert "nothing to fill" in (await say("--from-topic")).output
    named = ["--feature", "views_7d", "--feature", "orders_ever"]
    done = await say("--from-topic", *named, "--apply")
    assert done.exit_code == 0, done.stderr
    assert features(await restored(servers, small, after)) == every
    await asyncio.to_thread(run_worker, servers, small, **settings)
    await send(servers, small, events(3, 1))
    await followed(servers, small, after, features(fold(after, events(0, 4), 2, START)))
