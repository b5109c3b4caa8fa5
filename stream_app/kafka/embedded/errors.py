"""What can go wrong with the embedded broker, as one error with a message for people."""

from __future__ import annotations

import re
from pathlib import Path

OWN_CLUSTER = "or set STREAM_APP_BOOTSTRAP_SERVERS to use a Kafka cluster of your own"
_COMPLAINT = re.compile(r" (ERROR|FATAL) |Exception|Caused by")


class BrokerError(Exception):
    """The embedded broker cannot do what was asked; `str()` says why and what to do about it."""


def why_it_died(log: Path, output: Path, lines: int = 3) -> str:
    """The last complaints in the broker's log, else the end of what it printed, on one line."""
    complaints = [line for line in _lines(log) if _COMPLAINT.search(line)]
    return " | ".join(complaints[-lines:] or _lines(output)[-lines:])


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]
