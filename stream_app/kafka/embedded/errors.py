"""What can go wrong with the embedded broker, as one error with a message for people."""

from __future__ import annotations

from pathlib import Path

OWN_CLUSTER = "or set STREAM_APP_BOOTSTRAP_SERVERS to use a Kafka cluster of your own"


class BrokerError(Exception):
    """The embedded broker cannot do what was asked; `str()` says why and what to do about it."""


def why_it_died(log: Path, lines: int = 3) -> str:
    """The last complaints in the broker's log, on one line; empty when there are none."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    found = [
        line.strip()
        for line in text.splitlines()
        if any(word in line for word in ("ERROR", "FATAL", "Exception", "Error:", "Caused by"))
    ]
    return " | ".join(found[-lines:])
