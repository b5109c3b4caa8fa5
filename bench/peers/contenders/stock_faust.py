"""Stock Faust: one agent on both topics, one table with a changelog.

PEERS_MODE=safe has Faust use transactions, an event at a time; `fast` is its default, at least
once, and takes many events at a time. Pages named here are of docs/ in faust-streaming/faust.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterable, Iterable
from pathlib import Path
from typing import Any, Final

import faust

from bench.peers.contenders.plan import Plan
from bench.peers.job import Job

GUARANTEES: Final = {"safe": "exactly_once", "fast": "at_least_once"}
#: Events that are taken at once, and how long (s) to wait for them.
TAKEN, WITHIN = 1_000, 0.1


def make_app() -> faust.App:
    """The application of this process."""
    plan, safe = Plan.from_environment(), os.environ["PEERS_MODE"] == "safe"
    app = _configured(plan)
    # The json codec is orjson's where that is installed (faust/utils/json.py).
    events = app.topic(plan.clicks, plan.purchases, key_type=bytes, value_serializer="json")
    fold = _fold(app, plan, use_partitioner=not safe)

    async def one_by_one(stream: AsyncIterable[dict[str, Any]]) -> None:
        # A transaction may end amid a step, and the longer the step, the more is on both sides of
        # that end: with many events at a time, a kill doubles and loses more.
        async for event in stream:
            await fold([event])

    async def many(stream: Any) -> None:
        # userguide/streams.rst, "take()": process many events at a time, so that a user's row goes
        # to the changelog once for all of them.
        async for taken in stream.take(TAKEN, within=WITHIN):
            await fold(taken)

    app.agent(events, name="fold")(one_by_one if safe else many)
    return app


def _configured(plan: Plan) -> faust.App:
    session = {"broker_session_timeout": plan.session_s} if plan.session_s else {}
    return faust.App(
        plan.name,
        broker=f"kafka://{plan.servers}",
        # README.md recommends RocksDB in production; in memory is faster, and the table fits.
        store="memory://",
        datadir=str(Path(plan.folder) / "faust"),
        processing_guarantee=GUARANTEES[os.environ["PEERS_MODE"]],
        autodiscover=False,
        topic_partitions=plan.partitions,
        topic_disable_leader=True,
        table_standby_replicas=0,
        consumer_auto_offset_reset="earliest",
        # includes/settingref.txt: larger buffers give more throughput, but 131,072 is warned of
        # where tables change; 16,384 is four times the default. Offsets are committed every 10,000
        # events or 2.8 s, which are the defaults.
        stream_buffer_maxsize=16_384,
        consumer_max_fetch_size=4 * 1024 * 1024,
        broker_max_poll_records=5_000,
        stream_wait_empty=False,
        producer_linger=0.02,
        producer_max_batch_size=512 * 1024,
        web_enabled=False,
        **session,
    )


def _fold(app: faust.App, plan: Plan, *, use_partitioner: bool) -> Any:
    """What does the job for some events, in order; each user's row is written once.

    Events taken together are of several partitions: a row's partition follows from its key then
    (`use_partitioner`), whose bytes are those of the event's.
    """
    job = Job(audit=plan.audit)
    tags = app.topic(plan.tags, key_type=bytes, value_serializer="json")
    profiles = app.Table("profiles", key_type=bytes, use_partitioner=use_partitioner)

    async def fold(taken: Iterable[dict[str, Any]]) -> None:
        states: dict[bytes, Any] = {}
        for event in taken:
            user = event["user_id"].encode()
            known = states[user] if user in states else profiles.get(user)
            states[user], changes = job.step(known, event)
            for change in changes:
                await tags.send(key=user, value=change)
        for user, state in states.items():
            profiles[user] = state

    return fold


if __name__ == "__main__":
    # includes/installation.txt: uvloop, and the Cython streams, which wheels have.
    sys.argv[1:] = ["--loop", "uvloop", "--loglevel", "warn", "worker", "--without-web"]
    make_app().main()
