"""The other side: plain Faust doing one table write an event and nothing else.

`python -m bench.stock_faust` runs it on the inputs named by BENCH_* variables and prints a line of
JSON every half second: monotonic seconds, CPU seconds, events.

Event by event, as the examples of Faust's documentation write tables; `take()`, which hands an
agent lists of events and costs about a third less, is measured with the peers (`bench.peers`).
Tuned in all else: uvloop, orjson (which its json codec uses when it is there), its Cython streams,
an in-memory table, sends that linger so that batches fill, no web server, no standby replicas, no
leader topic, larger fetches and buffers than the defaults.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterable
from typing import Any

import faust
import orjson

_PROGRESS_S = 0.5


def make_app() -> faust.App:
    """An application that counts events by user; at-least-once, as is Faust's default."""
    app = faust.App(
        os.environ["BENCH_APP_ID"],
        broker=f"kafka://{os.environ['BENCH_SERVERS']}",
        store="memory://",
        datadir=os.path.join(tempfile.gettempdir(), os.environ["BENCH_APP_ID"]),
        autodiscover=False,
        topic_partitions=int(os.environ["BENCH_PARTITIONS"]),
        topic_disable_leader=True,
        table_standby_replicas=0,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=4 * 1024 * 1024,
        broker_max_poll_records=5_000,
        stream_buffer_maxsize=16_384,
        stream_wait_empty=False,
        producer_linger=0.02,
        producer_max_batch_size=512 * 1024,
        web_enabled=False,
    )
    counts = app.Table("counts", default=int)
    seen = [0]

    async def count(stream: AsyncIterable[dict[str, Any]]) -> None:
        async for event in stream:
            counts[event["user_id"]] += 1
            seen[0] += 1

    for name in os.environ["BENCH_TOPICS"].split(","):
        topic = app.topic(name, key_type=bytes, value_serializer="json")
        app.agent(topic, name=f"count-{name}")(count)

    async def report() -> None:
        while True:
            await asyncio.sleep(_PROGRESS_S)
            line = {"at": time.monotonic(), "cpu": time.process_time(), "events": seen[0]}
            # Faust turns what is printed into log messages.
            os.write(1, orjson.dumps(line) + b"\n")

    app.task(report)
    return app


if __name__ == "__main__":
    sys.argv[1:] = ["--loop", "uvloop", "--loglevel", "warn", "worker", "--without-web"]
    make_app().main()
