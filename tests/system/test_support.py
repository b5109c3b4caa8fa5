"""The helpers that other system tests rest on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from support.broker import Message, produce, read_to_end
from support.worker import Worker

SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'n{tag="a"} 2.0\\nn{tag="b"} 3.0\\nn_total 9.0\\n'
        self.send_response(200 if self.path in ("/readyz", "/metrics") else 404)
        self.end_headers()
        self.wfile.write(body)
print("serving", flush=True)
port = int(os.environ["STREAM_APP_HTTP_PORT"])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


async def test_reading_to_the_end_passes_commits_and_aborted_records(kafka, topics) -> None:
    await produce(kafka.bootstrap_servers, topics.tags, [Message(b"k", b"plain")], partition=0)
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, transactional_id=topics.app_id
    )
    async with producer:
        for value, commit in ((b"kept", True), (b"aborted", False)):
            await producer.begin_transaction()
            await producer.send_and_wait(topics.tags, value, b"k", partition=0)
            await (producer.commit_transaction() if commit else producer.abort_transaction())

    committed = await read_to_end(kafka.bootstrap_servers, topics.tags)
    assert [record.value for record in committed] == [b"plain", b"kept"]
    everything = await read_to_end(
        kafka.bootstrap_servers, topics.tags, isolation="read_uncommitted"
    )
    assert [record.value for record in everything] == [b"plain", b"kept", b"aborted"]


async def test_many_and_large_messages_keep_their_order(kafka, topics) -> None:
    many = [Message(b"k", b"%d" % n, timestamp=n + 1) for n in range(20_000)]
    large = Message(b"k", b"x" * 10_000_000)
    await produce(kafka.bootstrap_servers, topics.clicks, [*many, large])
    records = await read_to_end(kafka.bootstrap_servers, topics.clicks)
    assert [(r.value, r.timestamp) for r in records[:-1]] == [(m.value, m.timestamp) for m in many]
    assert records[-1].value == large.value


def test_a_worker_becomes_ready_tells_its_metrics_and_is_killed(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "log", {}, [sys.executable, "-c", SERVER])
    try:
        worker.wait_ready(20)
        assert worker.metric("n") == 5.0
        assert worker.metric("n", tag="b") == 3.0
        assert worker.get("/other")[0] == 404
        assert worker.tail().startswith("serving")
    finally:
        worker.kill()
    assert not worker.alive
    assert worker.exit_code() == 128 + 9


def test_a_worker_that_exits_is_reported_with_what_it_said(tmp_path: Path) -> None:
    worker = Worker(
        tmp_path / "log", {}, [sys.executable, "-c", "raise SystemExit('no catalogue')"]
    )
    with pytest.raises(AssertionError, match=r"exited \(1\):\nno catalogue"):
        worker.wait_ready(20)
