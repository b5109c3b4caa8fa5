"""Quix Streams: both topics as one StreamingDataFrame, state in RocksDB.

PEERS_MODE=safe: exactly-once, changelog topic, commits every five seconds (the plan's `commit_s`).
`fast`: at-least-once, no changelog topic, commits every thirty seconds. Pages named here are of
docs/ in quixio/quix-streams.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from quixstreams import Application, State

from bench.peers.contenders.plan import Plan
from bench.peers.job import Job

MODES: Final[dict[str, dict[str, Any]]] = {
    # configuration.md, "Processing Guarantees": at worst a tenth slower than at-least-once with the
    # default interval of 5 s. advanced/checkpointing.md: a checkpoint writes each key once, however
    # often it changed, so shorter intervals, or `commit_every`, would write more.
    "safe": {"processing_guarantee": "exactly-once"},
    # configuration.md: at-least-once where speed is the primary concern. checkpointing.md: longer
    # intervals flush less often. stateful-processing.md: without changelog topics the state is
    # that of the local disk.
    "fast": {
        "processing_guarantee": "at-least-once",
        "commit_interval": 30.0,
        "use_changelog_topics": False,
    },
}


def main() -> None:
    """Run until SIGTERM."""
    plan = Plan.from_environment()
    job = Job(audit=plan.audit)
    session = {"session.timeout.ms": int(plan.session_s * 1000)} if plan.session_s else {}
    app = Application(
        broker_address=plan.servers,
        consumer_group=plan.name,
        auto_offset_reset="earliest",
        state_dir=Path(plan.folder) / "quix",
        # configuration.md: librdkafka's options go here. Batches fill for 20 ms instead of 5.
        producer_extra_config={"linger.ms": 20, "compression.type": "lz4"},
        consumer_extra_config=session,
        loglevel="WARNING",
        **({"commit_interval": plan.commit_s} | MODES[os.environ["PEERS_MODE"]]),
    )

    def fold(event: dict[str, Any], state: State) -> list[dict[str, Any]]:
        after, changes = job.step(state.get("profile"), event)
        state.set("profile", after)
        return changes

    # advanced/serialization.md: JSON is the default; it and the state's are orjson's. RocksDB keeps
    # its defaults (stateful-processing.md names no others): blocks of 128 MB cached, lz4.
    inputs = [
        app.topic(name, key_deserializer="str", value_deserializer="json")
        for name in (plan.clicks, plan.purchases)
    ]
    output = app.topic(plan.tags, key_serializer="str", value_serializer="json")
    clicks, purchases = (app.dataframe(topic) for topic in inputs)
    # concatenating.md: several topics as one stream. Changes keep their event's key, the user.
    changes = clicks.concat(purchases).apply(fold, stateful=True, expand=True)
    changes.to_topic(output)
    app.run()


if __name__ == "__main__":
    main()
