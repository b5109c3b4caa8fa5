"""PyFlink's DataStream API: a keyed process function and a Kafka sink.

PEERS_MODE=safe: exactly-once checkpoints every five seconds (the plan's `commit_s`) and a
transactional sink; restarted, it goes on from the last checkpoint. `fast`: no checkpoints, and a
sink that waits for nothing. State and events are bytes, so that only Python looks into them. Pages
named here are of docs/content/docs in apache/flink, keys of "Configuration" those of
docs/layouts/shortcodes/generated/python_configuration.html there.
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
    given = {
        "pipeline.jars": os.environ["PEERS_FLINK_JARS"],
        # One worker, as everybody has.
        "parallelism.default": "1",
        # dev/datastream/execution/execution_configuration.md: nothing is copied between operators.
        "pipeline.object-reuse": "true",
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        # dev/python/python_execution_mode.md: `thread` has no serialization between JVM and Python.
        "python.execution-mode": os.environ.get("PEERS_FLINK_MODE") or _mode(),
        # Configuration: larger bundles and longer waits give more throughput, and take latency.
        "python.fn-execution.bundle.size": "100000",
        "python.fn-execution.bundle.time": "1000",
        # Configuration: states that Python keeps between bundles, in `process` mode; all users.
        "python.state.cache-size": "100000",
        # Configuration: off for more performance.
        "python.metric.enabled": "false",
        # ops/state/state_backends.md: on the heap it is fastest, and it fits.
        "state.backend.type": "hashmap",
    } | (_checkpoints(plan) if safe() else {})
    for name, value in given.items():
        config.set_string(name, value)
    return config


def safe() -> bool:
    """Does it keep what it knows?"""
    return os.environ["PEERS_MODE"] == "safe"


def _checkpoints(plan: Plan) -> dict[str, str]:
    """dev/datastream/fault-tolerance/checkpointing.md; a restart takes the newest."""
    folder = Path(plan.folder) / "checkpoints"
    found = {
        "execution.checkpointing.interval": f"{plan.commit_s:g}s",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.storage": "filesystem",
        "execution.checkpointing.dir": folder.as_uri(),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    }
    if latest := _latest(folder):
        found["execution.state-recovery.path"] = latest.as_uri()
    return found


def _mode() -> str:
    """`thread` where there is a shared libpython that a JVM can load."""
    return "thread" if find_libpython() else "process"


def _latest(checkpoints: Path) -> Path | None:
    """The newest complete checkpoint of any run."""
    whole = [file.parent for file in checkpoints.glob("*/chk-*/_metadata")]
    return max(whole, key=lambda folder: folder.stat().st_mtime, default=None)


def _sink(plan: Plan) -> KafkaSink:
    """connectors/datastream/kafka.md, "Fault Tolerance": transactions, or no guarantee at all."""
    schema = (
        KafkaRecordSerializationSchema.builder()
        .set_topic(plan.tags)
        .set_value_serialization_schema(SimpleStringSchema())
        .build()
    )
    builder = (
        KafkaSink.builder()
        .set_bootstrap_servers(plan.servers)
        .set_record_serializer(schema)
        .set_property("linger.ms", "20")
        .set_property("batch.size", "524288")
        .set_property("compression.type", "lz4")
    )
    if not safe():
        return builder.set_delivery_guarantee(DeliveryGuarantee.NONE).build()
    builder.set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE)
    # Longer than a checkpoint and a restart may take together, as that page says.
    builder.set_property("transaction.timeout.ms", "600000")
    return builder.set_transactional_id_prefix(plan.name).build()


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
    events = env.from_source(source, WatermarkStrategy.no_watermarks(), "events")
    changes = events.key_by(lambda value: orjson.loads(value)["user_id"], Types.STRING()).process(
        Fold(plan.audit), Types.STRING()
    )
    changes.sink_to(_sink(plan))
    env.execute(plan.name)


if __name__ == "__main__":
    main()
