"""Log lines on stderr, for people or for machines.

No event's content and no user's id is logged, except by what DEBUG lets Kafka's client say; where a
line is about one user it has a hash of the id (`stream_app.domain.masked`).
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from stream_app.settings import Settings

#: Chatty at INFO, one line a broker request or rebalance step.
_QUIET = ("aiokafka", "faust", "mode", "aiohttp")
#: The same line of Kafka's client is written once in so long (s).
SAME_S: Final = 10.0
#: So many different lines are remembered at most.
_MOST_LINES: Final = 1_000

#: What a line may be about, given as `extra`; fields of their own for machines.
FIELDS: Final = ("topic", "partition", "offset", "task", "version", "catalogue")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: timestamp (RFC 3339, UTC), level, logger, message, those of `FIELDS`
    that the record has, and error, a traceback, where there is one.
    """

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "timestamp": at.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class Repeats(logging.Filter):
    """Passes a line of Kafka's client once in `SAME_S`, with how often it came since it was passed.

    While brokers are away, each of a worker's clients says so ten times a second.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        #: By line: when it was passed, and how often it came after that.
        self._passed: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to pass it."""
        if not record.name.startswith("aiokafka"):
            return True
        now, line = self._seconds(), (record.name, record.getMessage())
        at, more = self._passed.get(line, (-SAME_S, 0))
        if now - at < SAME_S:
            self._passed[line] = at, more + 1
            return False
        if len(self._passed) >= _MOST_LINES:
            self._passed.clear()
        self._passed[line] = now, 0
        if more:
            record.msg, record.args = f"{line[1]} (and {more} times since this was said last)", None
        return True


def set_up_logging(settings: Settings) -> None:
    """Send all loggers to stderr at the level and in the format that `settings` name."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter()
        if settings.log_format == "json"
        else logging.Formatter("%(asctime)s %(levelname)-8s %(message)s", "%H:%M:%S")
    )
    if settings.log_level != "DEBUG":
        handler.addFilter(Repeats())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    if settings.log_level != "DEBUG":
        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)
