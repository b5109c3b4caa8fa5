"""What each contender guarantees by its own documents, as it is set here, with sources."""

from __future__ import annotations

from typing import Final

_FAUST: Final = "https://github.com/faust-streaming/faust/blob/master/docs"
_FAUST_ISSUES: Final = "https://github.com/faust-streaming/faust/issues"
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
)
_FAUST_STATE: Final = f"[yes, changelog topic]({_FAUST}/userguide/tables.rst)"
#: By contender, in the order of ROWS: what holds as it is set here, and a link where one is needed.
CLAIMS: Final[dict[str, tuple[str, ...]]] = {
    "stream_app": (
        "[yes, compacted changelog](adr/0003-offsets-in-the-changelog.md)",
        "[yes, in the transaction](adr/0002-partition-task-and-transaction.md)",
        "[yes](adr/0002-partition-task-and-transaction.md)",
    ),
    "faust": (
        _FAUST_STATE,
        "yes, in transactions",
        f"[experimental]({_FAUST}/history/changelog-1.5.rst), and "
        f"[reported not to hold]({_FAUST_ISSUES}/517)",
    ),
    "faust_fast": (
        _FAUST_STATE,
        "yes",
        f"[no: at least once, its default]({_FAUST}/includes/settingref.txt)",
    ),
    "quix": (
        f"[yes, RocksDB and changelog topic]({_QUIX}/advanced/stateful-processing.md)",
        f"[yes, in transactions]({_QUIX}/configuration.md#processing-guarantees)",
        f"[yes]({_QUIX}/configuration.md#processing-guarantees)",
    ),
    "quix_fast": (
        f"[only RocksDB on the worker's disk]({_QUIX}/advanced/stateful-processing.md)",
        "yes",
        f"[no: at least once, its default]({_QUIX}/configuration.md#processing-guarantees)",
    ),
    "bytewax": (
        f"[yes, snapshots on the worker's disk]({_BYTEWAX}/docs/guide/concepts/recovery.md)",
        "yes, each batch is acknowledged",
        f"[no: the sink is at least once]({_BYTEWAX}/pysrc/bytewax/connectors/kafka/__init__.py)",
    ),
    "bytewax_fast": (
        "**none**",
        "yes, each batch is acknowledged",
        f"[no: nothing is kept]({_BYTEWAX}/docs/guide/concepts/recovery.md)",
    ),
    "flink": (
        f"[yes, checkpoints in a file system]({_FLINK}/ops/state/checkpoints.md)",
        f"[yes, in transactions]({_CONNECTOR}#fault-tolerance)",
        f"[yes]({_FLINK}/connectors/datastream/guarantees.md)",
    ),
    "flink_fast": (
        "**none**",
        f"[**no**: changes may be lost]({_CONNECTOR}#fault-tolerance)",
        "no: nothing is kept",
    ),
}
