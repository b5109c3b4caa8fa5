"""Broken records by the hundred thousand beside good ones."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import pytest
from support.broker import Message, produce, read_to_end
from support.checker import check_dead_letters
from support.clicks import CATALOGUE, START, click, users_on
from support.follower import Follower
from support.process import peak_mb

from stream_app.engine.catalogue import load_catalogue

#: CHAOS_FLOOD=1000000 makes it a million.
FLOOD = int(os.environ.get("CHAOS_FLOOD", "60000"))
#: One in so many is good.
GOOD = 100
PARTITION = 2
USER = next(users_on(PARTITION))
OTHERS = {n: next(users_on(n)) for n in range(4) if n != PARTITION}
SENT_TO_OTHERS = 50
#: However many they are: the program, and rounds and transactions under way (see `test_backlog`).
BOUND_MB = 300

POISON = (
    None,
    b"",
    b"not JSON at all",
    b"\xff\xfe\x00\x00",
    b'{"event_id":',
    b"[" * 2_000,
    b"{}",
    click(USER, 1, user_id=7),
    click(USER, 1, type="teleport"),
    click(next(users_on(0)), 1),
    click(USER, 1, START + 3_600_000),
    b'{"event_id":"' + b"x" * 500 + b'"}',
)
#: Among them a few that are larger than any event may be.
HUGE = b'{"event_id":"' + b"x" * 200_000 + b'"}'


def flood(n: int) -> Iterator[Message]:
    poison = cycle(POISON)
    for i in range(n):
        if i % GOOD == 0:
            yield Message(USER.encode(), click(USER, i), START)
        elif i % 1_000 == 1:
            yield Message(b"k", HUGE, START)
        else:
            yield Message(b"k", next(poison), START)


@pytest.mark.timeout(1_200 if FLOOD > 200_000 else 180)
async def test_a_flood_of_broken_records_is_kept_and_neither_fills_memory_nor_holds_up_others(
    kafka, topics, run_worker, tmp_path: Path
) -> None:
    servers, catalogue = kafka.bootstrap_servers, tmp_path / "shop.yaml"
    catalogue.write_text(CATALOGUE)
    program = load_catalogue(catalogue).compile()
    messages = flood(FLOOD)
    while portion := list(islice(messages, 20_000)):
        await produce(servers, topics.clicks, portion, partition=PARTITION)
    async with Follower(servers, topics, program) as follower:
        # Routed, misplaced events would be no poison.
        settings = {"catalog": catalogue, "dead_letter_share": 1.0, "route": "never"}
        worker = await asyncio.to_thread(run_worker, servers, topics, **settings)
        await follower.until(lambda: folded(follower, PARTITION) > 0)
        for number, user in OTHERS.items():
            good = [Message(user.encode(), click(user, n), START) for n in range(SENT_TO_OTHERS)]
            await produce(servers, topics.clicks, good, partition=number)
        await follower.until(lambda: all(folded(follower, n) == SENT_TO_OTHERS for n in OTHERS))
        # The others' events did not wait for the flood to end.
        left, begun = FLOOD - folded(follower, PARTITION), time.monotonic()
        assert left > 0
        await follower.until(lambda: folded(follower, PARTITION) == FLOOD, 1_000)
        rate = left / (time.monotonic() - begun)
        print(f"{left / FLOOD:.0%} was left; {rate:,.0f} records/s; {peak_mb(worker):.0f} MB")
        assert peak_mb(worker) < BOUND_MB
        profiles = follower.finish()[PARTITION]
    assert profiles.read(USER)["clicks_24h"] == FLOOD // GOOD
    assert await asyncio.to_thread(worker.terminate) == 0
    letters = await read_to_end(servers, topics.dead_letters)
    bad = (offset for offset in range(FLOOD) if offset % GOOD)
    check_dead_letters(letters, Counter((topics.clicks, PARTITION, offset) for offset in bad))


def folded(follower: Follower, partition: int) -> int:
    return follower.next(partition)["clicks"]
