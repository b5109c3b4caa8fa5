"""PyFlink's DataStream API: a keyed process function, checkpoints, a transactional Kafka sink.

As its documentation advises for throughput: Python runs inside the JVM (`thread` mode: no process
and no serialization between them) where there is a shared libpython, bundles of 10,000, objects are
reused, state on the heap (it fits), exactly-once checkpoints every five seconds. State and events
are bytes, so that only Python looks into them. Restarted, it goes on from the last checkpoint.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
from find_libpython import find_libpython
from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.base import DeliveryGuarantee
from pyflink.datastream.connectors.kafka import (
    KafkaOffsetsInitializer,
    KafkaRecordSerializationSchema,
    KafkaSink,
    KafkaSource,
)
from pyflink.datastream.functions import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor

from bench.peers.contenders.plan import Plan, packed
from bench.peers.job import Job

INTERVAL_MS = 5_000


class Fold(KeyedProcessFunction):
    """The job for a user's event; the state is pickled."""

    def __init__(self, audit: bool) -> None:
        self._audit = audit

    def open(self, runtime_context: RuntimeContext) -> None:
        self._job = Job(audit=self._audit)
        kind = ValueStateDescriptor("profile", Types.PICKLED_BYTE_ARRAY())
        self._profile = runtime_context.get_state(kind)

    def process_element(self, value: str, ctx: KeyedProcessFunction.Context) -> Iterator[str]:
        state, changes = self._job.step(self._profile.value(), orjson.loads(value))
        self._profile.update(state)
        for change in changes:
            yield packed(change).decode()


def configured(plan: Plan) -> Configuration:
    """The settings of the cluster inside this process."""
    config = Configuration()
    checkpoints = Path(plan.folder) / "checkpoints"
    given = {
        "pipeline.jars": os.environ["PEERS_FLINK_JARS"],
        "parallelism.default": "1",
        "pipeline.object-reuse": "true",
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "python.execution-mode": os.environ.get("PEERS_FLINK_MODE") or _mode(),
        "python.fn-execution.bundle.size": "10000",
        "python.fn-execution.bundle.time": "200",
        "state.backend.type": "hashmap",
        "execution.checkpointing.interval": f"{INTERVAL_MS}ms",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.storage": "filesystem",
        "execution.checkpointing.dir": checkpoints.as_uri(),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    }
    if latest := _latest(checkpoints):
        given["execution.state-recovery.path"] = latest.as_uri()
    for name, value in given.items():
        config.set_string(name, value)
    return config


def _mode() -> str:
    """`thread` where there is a shared libpython that a JVM can load."""
    return "thread" if find_libpython() else "process"


def _latest(checkpoints: Path) -> Path | None:
    """The newest complete checkpoint of any run."""
    whole = [file.parent for file in checkpoints.glob("*/chk-*/_metadata")]
    return max(whole, key=lambda folder: folder.stat().st_mtime, default=None)


def main() -> None:
    """Run until ended."""
    plan = Plan.from_environment()
    # The interpreter inside the JVM knows no virtual environment.
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    env = StreamExecutionEnvironment.get_execution_environment(configured(plan))
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(plan.servers)
        .set_topics(plan.clicks, plan.purchases)
        .set_group_id(plan.name)
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )
    sink = (
        KafkaSink.builder()
        .set_bootstrap_servers(plan.servers)
        .set_record_serializer(
            KafkaRecordSerializationSchema.builder()
            .set_topic(plan.tags)
            .set_value_serialization_schema(SimpleStringSchema())
            .build()
        )
        .set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .set_transactional_id_prefix(plan.name)
        .set_property("transaction.timeout.ms", "600000")
        .set_property("compression.type", "zstd")
        .build()
    )
    events = env.from_source(source, WatermarkStrategy.no_watermarks(), "events")
    changes = events.key_by(lambda value: orjson.loads(value)["user_id"], Types.STRING()).process(
        Fold(plan.audit), Types.STRING()
    )
    changes.sink_to(sink)
    env.execute(plan.name)


if __name__ == "__main__":
    main()
