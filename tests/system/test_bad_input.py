"""Whatever producers write, a worker goes on, and says in dead letters what it could not take."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.broker import Message, produce, read_to_end
from support.clicks import CATALOGUE, DAY, START, click, purchase, users_on

from stream_app.domain.partitioner import PARTITIONERS
from stream_app.engine import Profiles, load_catalogue
from stream_app.engine.changelog import META, Loader
from stream_app.kafka.topics import TopicPlan

KEPT = 1_024
PARTITION = 2
USER, OTHER, SMILE = next(users_on(PARTITION)), next(users_on(1)), "u\U0001f6d2"
BIG = b'{"event_id":"' + b"x" * 10_000_000 + b'"}'


@dataclass(frozen=True)
class Bad:
    """A record on a partition, and why it is refused; `said` is part of the detail."""

    value: bytes | None
    reason: str
    said: str = ""
    topic: int = 0
    timestamp: int = START


BAD = [
    Bad(None, "empty", "no value"),
    Bad(b"", "empty", "no value"),
    Bad(b"not JSON", "malformed"),
    Bad(b"\xff\xfe\x00", "malformed", "not UTF-8"),
    Bad(b'{"event_id":', "malformed"),
    Bad(b"[" * 5_000, "malformed", "deep"),
    Bad(b"[]", "invalid", "array"),
    Bad(b"{}", "invalid", "event_id: missing"),
    Bad(click(USER, 1, user_id=7), "invalid", "user_id: expected text, got int"),
    Bad(click("u\u0000", 1), "invalid", "user_id: contains a control character"),
    Bad(click(USER, 1, event_id="a\nb"), "invalid", "event_id: contains a control character"),
    Bad(click(USER, 1, type="teleport"), "unknown_type", "teleport"),
    Bad(purchase(USER, 1), "wrong_topic", "purchases"),
    Bad(BIG, "too_large", "10000015 bytes"),
    Bad(click(USER, 1, START + 6 * 60_000), "future", "360 s after"),
    Bad(click(USER, 1, START - 401 * DAY), "too_old", "before"),
    Bad(click(OTHER, 1), "misrouted", f"user '{OTHER}' is on partition 2, murmur2 puts it on 1"),
    Bad(purchase(USER, 1, float("nan")), "malformed", topic=1),
    Bad(purchase(USER, 1, 10.0**308), "amount_out_of_range", "value", topic=1),
    Bad(purchase(USER, 1).replace(b": 20", b": 1e309"), "amount_out_of_range", "value", topic=1),
    Bad(purchase(USER, 1, 10**12), "amount_out_of_range", "value", topic=1),
    Bad(purchase(USER, 1, currency="CHF"), "undeclared_currency", "CHF", topic=1),
]


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(CATALOGUE)
    return path


async def read(servers: str, topic: str, least: int, key: str = "") -> list[Any]:
    """The records of a topic, once there are `least`; only those of one key if it is given."""
    async with asyncio.timeout(60):
        while True:
            found = await read_to_end(servers, topic)
            if len(chosen := [r for r in found if not key or r.key == key.encode()]) >= least:
                return chosen
            await asyncio.sleep(0.1)


async def send_bad(servers: str, topics: TopicPlan) -> None:
    """Each bad record between two good ones."""
    messages: tuple[list[Message], list[Message]] = ([], [])
    for number, bad in enumerate(BAD):
        good = (click, purchase)[bad.topic](USER, 100 + number)
        messages[bad.topic].append(Message(USER.encode(), good, START))
        messages[bad.topic].append(Message(b"k", bad.value, bad.timestamp))
    # Old events whose records are as old are in time.
    old = START - 500 * DAY
    messages[0].append(Message(USER.encode(), click(USER, 99, old), old))
    messages[0].append(Message(USER.encode(), click(USER, 98), START))
    messages[1].append(Message(USER.encode(), purchase(USER, 98), START))
    for topic, log in zip((topics.clicks, topics.purchases), messages, strict=True):
        await produce(servers, topic, log, partition=PARTITION)


def check_letter(letter: Any, bad: Bad, source: str, offset: int) -> None:
    """Fail unless a dead letter says what was wrong with which record, and holds its bytes."""
    headers = {name: value.decode() for name, value in letter.headers}
    assert (headers["reason"], bad.said) == (bad.reason, bad.said), headers
    assert bad.said in headers["detail"], headers
    assert headers["topic"] == source
    assert (headers["partition"], headers["offset"]) == (str(PARTITION), str(offset))
    value = bad.value or b""
    assert letter.value == value[:KEPT]
    if len(value) > KEPT:
        assert headers["length"] == str(len(value))
        assert headers["sha256"] == hashlib.sha256(value).hexdigest()


async def restored(servers: str, topics: TopicPlan, catalogue: Path) -> Profiles:
    """The profiles of the partition, as the next owner would read them."""
    loader = Loader(load_catalogue(catalogue).compile(), PARTITION, 4)
    records = await read_to_end(servers, topics.changelog)
    loader.add([(r.key, r.value) for r in records if r.partition == PARTITION])
    return loader.finish()


async def test_bad_records_become_dead_letters_and_good_ones_count(
    kafka, topics, run_worker, catalogue
):
    servers = kafka.bootstrap_servers
    await send_bad(servers, topics)
    smiling = PARTITIONERS["murmur2"](SMILE.encode(), 4)
    await produce(servers, topics.clicks, [Message(SMILE.encode(), click(SMILE, 1), START)])
    worker = await asyncio.to_thread(
        run_worker, servers, topics, catalog=catalogue, dead_letter_max=KEPT, route="never"
    )
    letters = await read(servers, topics.dead_letters, len(BAD))
    assert len(letters) == len(BAD)
    by_source = {(dict(r.headers)["topic"], int(dict(r.headers)["offset"])): r for r in letters}
    offsets = [0, 0]
    for bad in BAD:
        offsets[bad.topic] += 2
        source, offset = (topics.clicks, topics.purchases)[bad.topic], offsets[bad.topic] - 1
        check_letter(by_source[source.encode(), offset], bad, source, offset)

    async with asyncio.timeout(10):
        # Counted just after the commit that made them readable.
        while worker.metric("stream_app_rejected_total") < len(BAD):
            await asyncio.sleep(0.1)
    for reason, count in Counter(bad.reason for bad in BAD).items():
        assert worker.metric("stream_app_rejected_total", reason=reason) == count, reason
    last = (await read(servers, topics.tag_state, 1, USER))[-1]
    assert {"visitor", "regular", "spender"} <= json.loads(last.value)["tags"].keys()
    [state] = await read(servers, topics.tag_state, 1, SMILE)
    assert json.loads(state.value)["user_id"] == SMILE
    assert state.partition == smiling

    profiles = await restored(servers, topics, catalogue)
    assert profiles.users == [USER] if smiling != PARTITION else sorted(profiles.users)
    clicks, purchases = (sum(bad.topic == topic for bad in BAD) for topic in (0, 1))
    features = profiles.read(USER)
    # The click of 500 days ago is beyond every window.
    assert features["clicks_24h"] == clicks + 1
    assert features["spend_30d"] == 20 * (purchases + 1)
    rows = profiles.gather(np.arange(len(profiles)))
    for name in rows.dtype.names:
        if rows.dtype[name].base.kind == "f":
            assert np.isfinite(rows[name]).all(), name
    assert await asyncio.to_thread(worker.terminate) == 0


async def test_the_producers_partitioner_is_declared(kafka, topics, run_worker, catalogue):
    catalogue.write_text(CATALOGUE.replace("clock: event", "clock: event, partitioner: crc32"))
    servers, users = kafka.bootstrap_servers, [f"u{n}" for n in range(20)]
    events = [Message(user.encode(), click(user, 1), START) for user in users]
    await produce(servers, topics.clicks, events, partitioner="crc32")
    worker = await asyncio.to_thread(run_worker, servers, topics, catalog=catalogue)
    found = await read(servers, topics.tags, len(users))
    assert {json.loads(r.value)["user_id"] for r in found} == {*users}
    assert worker.metric("stream_app_rejected_total") == 0


async def test_more_dead_letters_than_the_budget_stop_the_worker(
    kafka, topics, run_worker, catalogue
):
    servers = kafka.bootstrap_servers
    good = [Message(USER.encode(), click(USER, n, START + n), START + n) for n in range(3)]
    await produce(servers, topics.clicks, good, partition=PARTITION)
    budget = {"dead_letter_run": 50, "dead_letter_share": 0.2}
    worker = await asyncio.to_thread(run_worker, servers, topics, catalog=catalogue, **budget)
    await read(servers, topics.tags, 2)
    assert await asyncio.to_thread(worker.terminate) == 0

    mixed = [Message(b"k", b"{" if n % 2 else click(USER, n), START) for n in range(60)]
    await produce(servers, topics.clicks, mixed, partition=PARTITION)
    worker = run_worker(servers, topics, catalog=catalogue, ready=False, **budget)
    assert await asyncio.to_thread(worker.exit_code, 60) == 78
    told = worker.log.read_text()
    assert "of the last 60 events were refused, the budget is 20% of 50" in told
    assert "Nothing of this round was committed" in told
    assert "Traceback" not in told
    assert await read_to_end(servers, topics.dead_letters) == []
    records = await read_to_end(servers, topics.changelog)
    metas = [r.value for r in records if r.key == META and r.partition == PARTITION]
    assert json.loads(metas[-1])["next"] == {"clicks": 3, "purchases": 0, "routed": 0}
