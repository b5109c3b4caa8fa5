"""Users of whom nothing comes are forgotten on a real Kafka, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice

import pytest
from support.broker import Message, produce, read_to_end
from support.checker import Consumer, check_tags
from support.clicks import CATALOGUE, DAY, START, click, users_on
from support.follower import Follower

from stream_app.engine import load_catalogue

KEPT = 30 * DAY
TEXT = CATALOGUE.replace("clock: event", "clock: event, idle_retention: 30d").replace(
    "when: clicks_24h >= 3", "when: clicks_24h >= 3, until: clicks_24h < 0"
)
SETTINGS = {
    "clock": "event",
    "retention_days": 36_500,
    "session_timeout_s": 6,
    "drain_timeout_s": 5,
    "max_resident_users": 3,
}


@pytest.mark.timeout(150)
async def test_idle_users_are_forgotten_and_begin_anew(kafka, topics, run_worker, tmp_path) -> None:
    servers, path = kafka.bootstrap_servers, tmp_path / "shop.yaml"
    path.write_text(TEXT)
    options = SETTINGS | {"catalog": path, "state_dir": tmp_path / "state"}
    sent = 0

    async def send(users: Sequence[str], at: int) -> None:
        nonlocal sent
        events = [Message(u.encode(), click(u, sent + n, at=at)) for n, u in enumerate(users)]
        await produce(servers, topics.clicks, events)
        sent += len(events)

    everybody = range(topics.partitions)
    idle = [user for n in everybody for user in islice(users_on(n, prefix="idle"), 10)]
    stay = [next(users_on(n, prefix="stay")) for n in everybody]
    async with Follower(servers, topics, load_catalogue(path).compile()) as follower:
        worker = await asyncio.to_thread(run_worker, servers, topics, **options)
        await send([*idle, *idle, *idle, *stay], START)
        await follower.until(lambda: follower.committed() == sent)
        assert users_of(follower) == {*idle, *stay}
        worker.kill()
        # Time goes on in every partition, and some are forgotten by whoever comes next.
        await send(stay, START + KEPT - DAY)
        await send(stay[:2], START + KEPT + DAY)
        worker = await asyncio.to_thread(run_worker, servers, topics, **options)
        await follower.until(lambda: follower.committed() == sent)
        gone = {user for user in idle if follower_of(follower, user) in (0, 1)}
        await follower.until(lambda: users_of(follower) == {*idle, *stay} - gone)
        worker.kill()
        worker = await asyncio.to_thread(run_worker, servers, topics, **options)
        # What most of these rows say lies on disk, and is known all the same.
        assert worker.metric("stream_app_tag_users", tag="regular") == len(idle) - len(gone)
        await send(stay[2:], START + KEPT + DAY)
        await follower.until(lambda: users_of(follower) == {*stay})
        back = idle[::10]
        await send(back, START + KEPT + 9 * DAY)
        await follower.until(lambda: follower.committed() == sent)
        await until(lambda: worker.metric("stream_app_users") == len(stay) + len(back))
        assert worker.metric("stream_app_forgotten_users_total") == len(idle) - len(gone)
        assert worker.metric("stream_app_tag_users", tag="regular") == 0
        assert await asyncio.to_thread(worker.terminate) == 0
        found = follower.finish()
        assert {u for part in found for u in part.known()} == {*stay, *back}
        assert all(found[follower_of(follower, u)].read(u)["clicks_24h"] == 1 for u in back)

    changes = await read_to_end(servers, topics.tags)
    consumer = Consumer()
    consumer.follow(changes)
    states = await read_to_end(servers, topics.tag_state)
    check_tags(consumer, states)
    last = {record.key.decode(): record.value for record in states}
    assert {user for user, value in last.items() if value is None} == {*idle} - {*back}
    rows = {r.key.decode(): r.value for r in await read_to_end(servers, topics.changelog)}
    assert {user for user in idle if rows[user] is None} == {*idle} - {*back}
    assert {consumer.versions[user] for user in back} == {1}


def users_of(follower: Follower) -> set[str]:
    return {user for loader in follower.loaders for user in loader.profiles.known()}


def follower_of(follower: Follower, user: str) -> int:
    """The partition of a user."""
    program = follower.loaders[0].profiles.program
    return program.partitioner(user.encode(), len(follower.loaders))


async def until(done) -> None:
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(done):
            await asyncio.sleep(0.1)
