"""Stock Faust: one agent on both topics, one table with a changelog.

Tuned as its documentation advises and beyond, as `bench/stock_faust.py`: uvloop, Cython, orjson,
tables in memory, sends that linger, large fetches, no web server, no standbys.
PEERS_GUARANTEE=exactly_once has Faust use transactions.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterable
from pathlib import Path
from typing import Any

import faust

from bench.peers.contenders.plan import Plan
from bench.peers.job import Job


def make_app() -> faust.App:
    """The application of this process."""
    plan, job = Plan.from_environment(), None
    job = Job(audit=plan.audit)
    app = faust.App(
        plan.name,
        broker=f"kafka://{plan.servers}",
        store="memory://",
        datadir=str(Path(plan.folder) / "faust"),
        processing_guarantee=os.environ.get("PEERS_GUARANTEE", "at_least_once"),
        autodiscover=False,
        topic_partitions=plan.partitions,
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
    events = app.topic(plan.clicks, plan.purchases, key_type=bytes, value_serializer="json")
    tags = app.topic(plan.tags, key_type=str, key_serializer="raw", value_serializer="json")
    profiles = app.Table("profiles", key_type=str)

    async def fold(stream: AsyncIterable[dict[str, Any]]) -> None:
        async for event in stream:
            user = event["user_id"]
            profiles[user], changes = job.step(profiles.get(user), event)
            for change in changes:
                await tags.send(key=user, value=change)

    app.agent(events, name="fold")(fold)
    return app


if __name__ == "__main__":
    sys.argv[1:] = ["--loop", "uvloop", "--loglevel", "warn", "worker", "--without-web"]
    make_app().main()
