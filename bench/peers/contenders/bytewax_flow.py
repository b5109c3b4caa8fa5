"""Bytewax: a stateful operator that takes a batch a user; recovery by snapshots in SQLite, or none.

Run by `python -m bytewax.run`, whose options (roster.py) decide on recovery: with `-r`, snapshots
every ten seconds; without, it begins at the beginning and knows nobody. Settings are from
docs/guide/concepts/recovery.md (longer intervals cost less and go further back), kafka.md there and
docs/guide/advanced-concepts/performance.md of bytewax/bytewax: one worker a process, since workers
of a process share the interpreter's lock.
"""

from __future__ import annotations

import pickle
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow

from bench.peers.contenders.plan import Plan, packed
from bench.peers.job import Job, State

PLAN = Plan.from_environment()
JOB = Job(audit=PLAN.audit)


class Profile(op.StatefulBatchLogic[bytes, bytes, bytes]):
    """A user's state; snapshots are copies, since it goes on changing."""

    def __init__(self, kept: bytes | None) -> None:
        # Only this process writes the snapshots that it reads.
        self._state: State | None = pickle.loads(kept) if kept else None  # noqa: S301

    def on_batch(self, values: list[bytes]) -> tuple[list[bytes], bool]:
        found: list[bytes] = []
        for value in values:
            self._state, changes = JOB.step(self._state, orjson.loads(value))
            found += map(packed, changes)
        return found, self.RETAIN

    def snapshot(self) -> bytes:
        return pickle.dumps(self._state)


def keyed(messages: list[Any]) -> list[tuple[str, bytes]]:
    """Events by their users."""
    return [(message.key.decode(), message.value) for message in messages]


def published(items: list[tuple[str, bytes]]) -> list[KafkaSinkMessage[bytes, bytes]]:
    """Changes as the sink takes them."""
    return [KafkaSinkMessage(user.encode(), value) for user, value in items]


flow = Dataflow("peers")
# performance.md: up to 1,000 messages a batch by default, larger ones for throughput (5,000 there).
# An error ends the flow, as by default; `kop.input` would add a step that parts errors off.
source = KafkaSource([PLAN.servers], [PLAN.clicks, PLAN.purchases], batch_size=5_000)
events = op.input("events", flow, source)
# performance.md: operators of whole batches where a call for each item costs.
by_user = op.flat_map_batch("by user", events, keyed)
changes = op.stateful_batch("profiles", by_user, Profile)
# The sink flushes after every batch, so lingering beyond librdkafka's 5 ms gains nothing.
sink = KafkaSink([PLAN.servers], PLAN.tags, add_config={"compression.type": "lz4"})
op.output("tags", op.flat_map_batch("messages", changes, published), sink)
