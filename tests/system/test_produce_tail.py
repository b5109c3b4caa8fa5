"""Events into a real Kafka and tag changes out of it, by the commands that people use."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from support.broker import Message, environment, produce, read_to_end

from stream_app.data.checks import Checker
from stream_app.data.lines import read_chunks
from stream_app.domain.because import Because
from stream_app.domain.changes import Source, TagChange, encode
from stream_app.domain.clock import from_rfc3339
from stream_app.domain.partitioner import PARTITIONERS
from stream_app.kafka.console.pace import Pace
from stream_app.kafka.console.produce import ProduceError
from stream_app.kafka.console.produce import produce as produce_checked
from stream_app.resolve import resolve

SLICE = Path(__file__).parents[1] / "data" / "shop.ndjson.gz"
AT = from_rfc3339("2017-10-03T18:22:10.000Z")


def start(kafka, plan, *arguments, **pipes):
    """A command as a process of its own; standard output and error are read by `communicate`."""
    return subprocess.Popen(
        [sys.executable, "-m", "stream_app", *map(str, arguments)],
        env=os.environ | environment(kafka.bootstrap_servers, plan),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **pipes,
    )


def run(kafka, plan, *arguments, text=b"", code=0):
    """Standard output and error of a command that ends by itself."""
    process = start(kafka, plan, *arguments, stdin=subprocess.PIPE)
    out, err = process.communicate(text, timeout=60)
    assert process.returncode == code, err.decode()
    return out.decode(), err.decode()


def change(user, tag, version, at=AT):
    return TagChange(
        change_id=f"{user}:0:{version}", user_id=user, tag=tag, cls="spending", action="added",
        value=True, previous=None, confidence=1.0, version=version, occurred_at=at, emitted_at=at,
        valid_until=None, source=Source("rule", tag, "r1"), cause=None,
        because=[Because("spend_30d", 231.5, ">", 200.0)],
    )  # fmt: skip


def messages(*changes):
    return [Message(c.user_id.encode(), encode(c), c.occurred_at) for c in changes]


async def test_every_event_arrives_once_on_its_user_partition_in_order_and_with_its_time(
    kafka, topics
):
    _, told = run(kafka, topics, "produce", SLICE)
    assert "sent 9,081 events (8,784 clicks, 297 purchases)" in told
    sent = defaultdict(list)
    for line in gzip.decompress(SLICE.read_bytes()).splitlines():
        event = json.loads(line)
        topic = topics.purchases if event["type"] == "purchase" else topics.clicks
        user = event["user_id"].encode()
        sent[topic, PARTITIONERS["murmur2"](user, 4)].append(
            (user, line, from_rfc3339(event["occurred_at"]))
        )
    arrived = defaultdict(list)
    for topic in (topics.clicks, topics.purchases):
        for record in await read_to_end(kafka.bootstrap_servers, topic):
            arrived[topic, record.partition].append((record.key, record.value, record.timestamp))
    assert arrived == sent


async def test_bad_lines_are_left_out_and_kept(kafka, topics, tmp_path):
    good = [b'{"event_id":"%d","type":"login","user_id":"u","occurred_at":%d}' % (i, AT + i)
            for i in range(3)]  # fmt: skip
    letters = tmp_path / "bad.ndjson"
    text = b"\n".join([good[0], b"{", good[1], b'{"type":"dance"}', good[2]])
    _, told = run(kafka, topics, "produce", "-", "--dead-letters", letters, text=text, code=1)
    assert "standard input:2: malformed" in told
    assert "3 events" in told
    assert [json.loads(line)["line"] for line in letters.read_text().splitlines()] == [2, 4]
    arrived = await read_to_end(kafka.bootstrap_servers, topics.clicks)
    assert [record.value for record in arrived] == good


async def test_events_of_a_slow_source_are_sent_as_they_come(kafka, topics):
    process = start(kafka, topics, "produce", "-", "--timestamps", "now", stdin=subprocess.PIPE)
    now = int(time.time() * 1000)
    event = b'{"event_id":"1","type":"login","user_id":"u","occurred_at":%d}' % now
    process.stdin.write(event + b"\n")
    process.stdin.flush()
    async with asyncio.timeout(60):
        while not (arrived := await read_to_end(kafka.bootstrap_servers, topics.clicks)):
            assert process.poll() is None
    assert arrived[0].value == event
    assert abs(arrived[0].timestamp - now) < 60_000
    _, told = await asyncio.to_thread(process.communicate, timeout=60)
    assert b"sent 1 events" in told


async def test_a_rate_is_kept(kafka, topics):
    events = [b'{"event_id":"%d","type":"login","user_id":"u%d","occurred_at":%d}' % (i, i % 9, AT)
              for i in range(60)]  # fmt: skip
    _, told = run(kafka, topics, "produce", "-", "--rate", 40, text=b"\n".join(events))
    seconds = float(told.partition(" in ")[2].split()[0])
    # The last of 60 events is due 59/40 s after the first; a busy machine may be later.
    assert seconds >= 1.4
    assert len(await read_to_end(kafka.bootstrap_servers, topics.clicks)) == 60


def test_a_missing_topic_is_an_error_that_says_what_to_do(kafka, plan):
    for command in (["produce", SLICE], ["tail", "--until-end"]):
        _, told = run(kafka, plan, *command, code=2)
        assert "stream-app topics --apply" in told
        assert plan.tags in told or (plan.clicks in told and plan.purchases in told)


def test_a_broker_that_is_away_is_an_error_that_says_so(kafka, plan):
    away = type("Away", (), {"bootstrap_servers": "127.0.0.1:1"})
    for command in (["produce", SLICE], ["tail"]):
        _, told = run(away, plan, *command, code=2)
        assert "Kafka at 127.0.0.1:1: nobody listens there" in told
        assert "Traceback" not in told


async def test_history_that_the_topic_would_delete_is_refused(kafka, topics):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        week = {"retention.ms": str(7 * 86_400_000)}
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topics.purchases, week)]
        )
    finally:
        await admin.close()
    _, told = run(kafka, topics, "produce", SLICE, code=2)
    assert "older than the 7.0 days" in told
    assert "retention.ms=-1" in told
    assert await read_to_end(kafka.bootstrap_servers, topics.clicks) == []


async def test_tail_prints_what_was_committed_and_nothing_else(kafka, topics):
    await produce(kafka.bootstrap_servers, topics.tags, messages(change("h1", "loyal", 1)))
    aborted = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, transactional_id=f"{topics.app_id}-aborted"
    )
    await aborted.start()
    try:
        await aborted.begin_transaction()
        never = encode(change("h1", "ghost", 2))
        await aborted.send_and_wait(topics.tags, never, key=b"h1", timestamp_ms=AT)
        await aborted.abort_transaction()
    finally:
        await aborted.stop()
    later = [change("h2", "loyal", 1, AT + 1), change("h1", "big", 2, AT + 2)]
    await produce(kafka.bootstrap_servers, topics.tags, messages(*later))
    out, _ = run(kafka, topics, "tail", "--until-end")
    assert [line.split()[2:5] for line in out.splitlines()] == [
        ["h1", "+", "loyal"],
        ["h2", "+", "loyal"],
        ["h1", "+", "big"],
    ]
    assert "spend_30d 231.50 > 200" in out


async def test_tail_chooses_by_user_and_tag_and_stops_after_max(kafka, topics):
    changes = [change(f"h{i % 3}", "ab"[i % 2], i) for i in range(1, 13)]
    await produce(kafka.bootstrap_servers, topics.tags, messages(*changes))

    def shown(*options):
        out, _ = run(kafka, topics, "tail", "--until-end", "--format", "json", *options)
        return out.encode().splitlines()

    assert sorted(shown()) == sorted(map(encode, changes))
    assert shown("--user", "h1") == [encode(c) for c in changes if c.user_id == "h1"]
    assert {json.loads(line)["tag"] for line in shown("--tag", "a")} == {"a"}
    assert len(shown("--tag", "a", "--tag", "b")) == 12
    assert len(shown("--max", 5)) == 5
    assert shown("--from-end") == []


async def test_tail_follows_what_comes(kafka, topics):
    old, new = change("h1", "old", 1), change("h1", "new", 2)
    await produce(kafka.bootstrap_servers, topics.tags, messages(old))
    process = start(kafka, topics, "tail", "--from-beginning", "--format", "json", "--max", 2)
    first = await asyncio.to_thread(process.stdout.readline)
    assert first.strip() == encode(old)
    await produce(kafka.bootstrap_servers, topics.tags, messages(new))
    rest, told = await asyncio.to_thread(process.communicate, timeout=60)
    assert rest.strip() == encode(new)
    assert process.returncode == 0, told


async def test_the_library_call_reports_progress(kafka, topics):
    settings = resolve(
        bootstrap_servers=kafka.bootstrap_servers,
        clicks_topic=topics.clicks,
        purchases_topic=topics.purchases,
    )
    checker = Checker(max_event_bytes=65_536, future_ms=None, retention_ms=None)
    seen = []
    chunks = (checker.check(chunk, 0) for chunk in read_chunks(str(SLICE), 100_000))
    sent = await produce_checked(
        chunks, settings, Pace(), progress=lambda chunk, total: seen.append(total)
    )
    assert sent.events == [8784, 297]
    assert seen == sorted(seen)
    assert seen[-1] == sent.total
    assert len(seen) > 10
    with pytest.raises(ProduceError, match="no topic nowhere"):
        await produce_checked(
            iter(()), settings.model_copy(update={"clicks_topic": "nowhere"}), Pace()
        )
