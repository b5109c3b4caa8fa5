"""Quix Streams: both topics as one StreamingDataFrame, state in RocksDB with a changelog topic.

As its documentation advises: `processing_guarantee="exactly-once"`, commits every five seconds (its
default: fewer, larger transactions), changelog topics on, JSON by orjson.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quixstreams import Application, State

from bench.peers.contenders.plan import Plan
from bench.peers.job import Job


def main() -> None:
    """Run until SIGTERM."""
    plan = Plan.from_environment()
    job = Job(audit=plan.audit)
    app = Application(
        broker_address=plan.servers,
        consumer_group=plan.name,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        state_dir=Path(plan.folder) / "quix",
        producer_extra_config={"linger.ms": 20, "compression.type": "lz4"},
        loglevel="INFO",
    )

    def fold(event: dict[str, Any], state: State) -> list[dict[str, Any]]:
        after, changes = job.step(state.get("profile"), event)
        state.set("profile", after)
        return changes

    inputs = [
        app.topic(name, key_deserializer="str", value_deserializer="json")
        for name in (plan.clicks, plan.purchases)
    ]
    output = app.topic(plan.tags, key_serializer="str", value_serializer="json")
    clicks, purchases = (app.dataframe(topic) for topic in inputs)
    changes = clicks.concat(purchases).apply(fold, stateful=True, expand=True)
    changes.to_topic(output, key=lambda change: change["user_id"])
    app.run()


if __name__ == "__main__":
    main()
