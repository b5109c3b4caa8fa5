"""Log lines on stderr, for people or for machines. No event's content is logged."""

from __future__ import annotations

import json
import logging
import sys

from stream_app.settings import Settings

#: Chatty at INFO, one line a broker request or rebalance step.
_QUIET = ("aiokafka", "faust", "mode", "aiohttp")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: at, level, logger, message, and error where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


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
