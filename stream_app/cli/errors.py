"""Turn expected errors into lines for people. What is not expected stays a traceback: a bug."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

EXIT_CODE = 2


def explain(error: Exception) -> list[str]:
    """Lines that say what is wrong, without a traceback; none when `error` is not expected.

    Expected are the package's own errors, files that cannot be used, and a Kafka that is away.
    """
    if type(error).__module__.startswith("stream_app."):
        return _own(error)
    # Errors of aiokafka exist only where it has been imported; importing it is slow.
    kafka = sys.modules.get("aiokafka.errors")
    if kafka is not None and isinstance(error, kafka.KafkaError):
        return [_kafka(error, isinstance(error, kafka.KafkaConnectionError))]
    if isinstance(error, TimeoutError) and error.errno is None:
        return ["no answer in time: `stream-app doctor` says what hangs"]
    if isinstance(error, OSError) and error.filename is not None:
        reason = error.strerror or os.strerror(error.errno or 0)
        return [f"{os.fsdecode(error.filename)}: {reason}"]
    return []


def _own(error: Exception) -> list[str]:
    many: Sequence[str] | None = getattr(error, "problems", None) or getattr(error, "misfits", None)
    return [*many] if many else [" ".join(str(error).split()) or type(error).__name__]


def _kafka(error: Exception, away: bool) -> str:
    # Imported here as well: it imports aiokafka.
    from stream_app.kafka.client.rights import missing_right

    right = missing_right(error)
    if right is not None:
        return right
    if away:
        return (
            "Kafka does not answer at STREAM_APP_BOOTSTRAP_SERVERS"
            f"{_where(error)}: start one with `stream-app broker`, or set the variable"
        )
    return f"Kafka refused: {error}"


def _where(error: Exception) -> str:
    """The addresses that aiokafka names in its message, as ` (host:port, …)`."""
    found = re.findall(r"\('([^']+)', (\d+)", str(error))
    return f" ({', '.join(f'{host}:{port}' for host, port in found)})" if found else ""
