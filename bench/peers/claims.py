"""What each contender guarantees by its own documents: the second table, with sources."""

from __future__ import annotations

from typing import Final

_FAUST: Final = "https://github.com/faust-streaming/faust/blob/master/docs"
_QUIX: Final = "https://github.com/quixio/quix-streams/blob/main/docs"
_BYTEWAX: Final = "https://github.com/bytewax/bytewax/blob/main"
_FLINK: Final = "https://github.com/apache/flink/blob/master/docs/content/docs"
_CONNECTOR: Final = (
    "https://github.com/apache/flink-connector-kafka/blob/main/"
    "docs/content/docs/connectors/datastream/kafka.md"
)

ROWS: Final = (
    "durable state",
    "durable output",
    "exactly once, end to end",
    "reasons with a change",
    "rules reloaded while it runs",
)
#: By contender, in the order of ROWS: what holds, and a link where one is needed.
CLAIMS: Final[dict[str, tuple[str, ...]]] = {
    "stream_app": (
        "[yes, compacted changelog](adr/0003-offsets-in-the-changelog.md)",
        "[yes, in the transaction](adr/0002-partition-task-and-transaction.md)",
        "[yes](adr/0002-partition-task-and-transaction.md)",
        "[yes](messages.md#tags)",
        "[yes](catalogue.md)",
    ),
    "faust": (
        f"[yes, changelog topic]({_FAUST}/userguide/tables.rst)",
        "yes, acknowledged later than the state",
        f"[no: at least once by default]({_FAUST}/includes/settingref.txt)",
        "no: the job's own code",
        "no: a restart",
    ),
    "faust_eo": (
        f"[yes, changelog topic]({_FAUST}/userguide/tables.rst)",
        "yes, in transactions",
        f"[experimental]({_FAUST}/history/changelog-1.5.rst)",
        "no: the job's own code",
        "no: a restart",
    ),
    "quix": (
        f"[yes, RocksDB and changelog topic]({_QUIX}/advanced/stateful-processing.md)",
        f"[yes, in transactions]({_QUIX}/configuration.md#processing-guarantees)",
        f"[yes, as set here]({_QUIX}/configuration.md#processing-guarantees)",
        "no: the job's own code",
        "no: a restart",
    ),
    "bytewax": (
        f"[yes, snapshots on the worker's disk]({_BYTEWAX}/docs/guide/concepts/recovery.md)",
        f"[yes]({_BYTEWAX}/docs/guide/concepts/kafka.md)",
        f"[no: the sink is at least once]({_BYTEWAX}/pysrc/bytewax/connectors/kafka/__init__.py)",
        "no: the job's own code",
        "no: a restart",
    ),
    "flink": (
        f"[yes, checkpoints in a file system]({_FLINK}/ops/state/checkpoints.md)",
        f"[yes, in transactions]({_CONNECTOR}#fault-tolerance)",
        f"[yes, as set here]({_FLINK}/connectors/datastream/guarantees.md)",
        "no: the job's own code",
        f"[by the job's own code, as broadcast state]({_FLINK}/dev/datastream/fault-tolerance/"
        "broadcast_state.md)",
    ),
}
