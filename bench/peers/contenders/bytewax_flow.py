"""Bytewax: a stateful operator that takes a batch a user, recovery by snapshots in SQLite.

As its documentation advises: batches (`stateful_batch`, a large source batch), snapshots every ten
seconds (its default) into a recovery folder. Run by `python -m bytewax.run`.
"""

from __future__ import annotations

import pickle
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kop
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


def keyed(message: Any) -> tuple[str, bytes]:
    """An event by its user."""
    return message.key.decode(), message.value


def published(item: tuple[str, bytes]) -> KafkaSinkMessage[bytes, bytes]:
    """A change as the sink takes it."""
    return KafkaSinkMessage(item[0].encode(), item[1])


flow = Dataflow("peers")
events = kop.input(
    "events", flow, brokers=[PLAN.servers], topics=[PLAN.clicks, PLAN.purchases], batch_size=5_000
)
by_user = op.map("by user", events.oks, keyed)
changes = op.stateful_batch("profiles", by_user, Profile)
kop.output(
    "tags",
    op.map("messages", changes, published),
    brokers=[PLAN.servers],
    topic=PLAN.tags,
    add_config={"linger.ms": "5", "compression.type": "lz4"},
)
