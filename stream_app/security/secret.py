"""Secrets: read from files, and kept out of what clients log."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

from stream_app.security.errors import SecurityError, unreadable

_CLIENT: Final = "aiokafka.conn"


def read_secret(file: str) -> str:
    """The file's content without the line break at its end. Raises SecurityError where none is."""
    try:
        found = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise unreadable(file, error) from error
    except UnicodeDecodeError:
        # Not from the error: it holds the bytes.
        raise SecurityError(f"{file} holds no text in UTF-8") from None
    if not found:
        raise SecurityError(f"{file} is empty")
    return found


def keep_logins_out_of_logs() -> None:
    """Have aiokafka log no message of a login: at DEBUG it logs each, with the password."""
    logger = logging.getLogger(_CLIENT)
    if _is_no_login not in logger.filters:
        logger.addFilter(_is_no_login)


def _is_no_login(record: logging.LogRecord) -> bool:
    given: Any = record.args if isinstance(record.args, tuple) else ()
    return not any(type(value).__name__.startswith("Sasl") for value in given)
