"""State that is changed while nobody is at work: what tests of that send, run and read."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.broker import Message, produce, read_to_end
from support.clicks import START, click, purchase
from support.settled import Event

from stream_app.domain.partitioner import PARTITIONERS
from stream_app.engine import Profiles
from stream_app.engine.catalogue import Limits, Program, load_catalogue
from stream_app.engine.changelog import Loader
from stream_app.kafka.topics import TopicPlan

#: Old events under new record times.
SETTINGS = {
    "clock": "event",
    "retention_days": 36_500,
    "session_timeout_s": 6,
    "drain_timeout_s": 3,
}
USERS = [f"user-{number}" for number in range(120)]
_TESTS = Path(__file__).parents[1]


def compiled(catalogue: Path) -> Program:
    """The catalogue as workers with these settings compile it."""
    return load_catalogue(catalogue).compile(Limits(retention_ms=36_500 * 86_400_000))


def events(first: int, times: int) -> list[Event]:
    """Clicks and purchases of every user, `times` of each; event ids go on from `first`."""
    made = []
    for n in range(first, first + times):
        for i, user in enumerate(USERS):
            look = {"type": "view_item", "item_category": f"kind {(i + n) % 17}", "price": 3}
            seen = click(user, n, START + n, currency="USD", device="mobile", **look)
            made += [Event(0, user, seen), Event(1, user, purchase(user, n, 25, START + n))]
    return made


async def send(servers: str, plan: TopicPlan, more: list[Event]) -> None:
    """Send events to where they belong."""
    for topic, name in enumerate((plan.clicks, plan.purchases)):
        sent = [Message(e.user.encode(), e.value) for e in more if e.topic == topic]
        await produce(servers, name, sent)


async def restored(servers: str, plan: TopicPlan, program: Program) -> list[Profiles]:
    """The profiles of each partition, as they are committed now."""
    changelog = await read_to_end(servers, plan.changelog)
    states = []
    for number in range(plan.partitions):
        loader = Loader(program, number, plan.partitions)
        loader.add([(r.key, r.value) for r in changelog if r.partition == number])
        states.append(loader.finish())
    return states


def features(states: list[Profiles]) -> Mapping[str, Any]:
    """Every user's features at the latest time of all partitions."""
    at = max(profiles.time for profiles in states)
    return dict(sorted(one for profiles in states for one in profiles.read_all(at)))


async def followed(
    servers: str, plan: TopicPlan, program: Program, wanted: Mapping[str, Any]
) -> None:
    """Return when every user has the features that are wanted."""
    found: Mapping[str, Any] = {}
    try:
        async with asyncio.timeout(60):
            while True:
                states = await restored(servers, plan, program)
                found = features(states)
                if found == wanted:
                    return
                await asyncio.sleep(0.1)
    except TimeoutError:
        assert found == wanted


def at_home(records: list[Any], partitions: int) -> dict[bytes, bytes]:
    """The last record of each key that is not deleted; each where its key belongs."""
    place, last = PARTITIONERS["murmur2"], {}
    for record in records:
        last[record.partition, record.key] = record.value
    kept = {key: value for key, value in last.items() if value is not None}
    assert all(place(key, partitions) == number for number, key in kept)
    return {key: value for (_, key), value in kept.items()}


async def run(env: Mapping[str, str], *command: str) -> tuple[int, str]:
    """A Python process with these settings: its exit code, and what it said."""
    path = f"{_TESTS}{os.pathsep}{_TESTS.parent}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        env={**os.environ, "PYTHONPATH": path, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 150)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode()
