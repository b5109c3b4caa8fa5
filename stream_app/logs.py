"""Log lines on stderr, for people or for machines.

No event's content and no user's id is logged, except by what DEBUG lets Kafka's client say; where a
line is about one user it has a hash of the id (`stream_app.domain.masked`).
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

from stream_app.settings import Settings

#: Chatty at INFO, one line a broker request or rebalance step.
_QUIET = ("aiokafka", "faust", "mode", "aiohttp")


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


def set_up_logging(settings: Settings) -> None:
    """Send all loggers to stderr at the level and in the format that `settings` name."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter()
        if settings.log_format == "json"
        else logging.Formatter("%(asctime)s %(levelname)-8s %(message)s", "%H:%M:%S")
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    if settings.log_level != "DEBUG":
        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)
