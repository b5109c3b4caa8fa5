"""The engine's own features, read from profiles, and the job's model as it takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from bench.lanes import PARTITIONS, Lane
from bench.peers.check import Profiles
from bench.peers.score import COLUMNS, MODEL, parameters
from stream_app.engine import Profiles as Rows
from stream_app.engine import Program, load_catalogue
from stream_app.engine.changelog import Loader
from stream_app.engine.reading import plain_rows
from stream_app.learning.snapshot import Logistic, Model, Trained
from stream_app.learning.training import columns_id

CATALOGUE = Path(__file__).parent / "job.yaml"


def program() -> Program:
    """The job's catalogue, compiled."""
    return load_catalogue(CATALOGUE).compile()


def model() -> Model:
    """The job's given model as the trainer would publish it."""
    given, columns = parameters(), list(COLUMNS)
    scorer = Logistic(
        names=list(given),
        mean=[column["mean"] for column in given.values()],
        scale=[column["scale"] for column in given.values()],
        weights=[column["weight"] for column in given.values()],
        intercept=MODEL["intercept"],
        platt=None,
        reference=[0.0] * len(given),
    )
    return Model(
        kind="classifier", task=MODEL["task"], version=1, parent=None, columns=columns,
        columns_id=columns_id(columns), created_at=0,
        trained=Trained(from_=0, to=0, examples=1, positives=1), metrics={}, scorer=scorer,
        state="live", thresholds=[MODEL["threshold"]],
    )  # fmt: skip


def features(rows: Rows) -> Profiles:
    """Every user's features at the profiles' time."""
    values = rows.program.features.values(
        rows.gather(np.arange(len(rows))), rows.time, rows.dictionary
    )
    return dict(zip(rows.users, plain_rows(values, len(rows)), strict=True))


async def committed(lane: Lane) -> Profiles:
    """What a worker has committed to the changelog of its lane."""
    found: dict[str, dict[str, Any]] = {}
    compiled = program()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=lane.servers,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        for number in range(PARTITIONS):
            part, loader = TopicPartition(lane.plan.changelog, number), None
            loader = Loader(compiled, number, PARTITIONS)
            consumer.assign([part])
            end = (await consumer.end_offsets([part]))[part]
            while await consumer.position(part) < end:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    loader.add([(record.key, record.value) for record in records])
            found |= features(loader.finish())
    finally:
        await consumer.stop()
    return found
