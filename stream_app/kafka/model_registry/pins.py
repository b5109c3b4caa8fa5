"""Pins: which version of a task an operator has put into use, until it is unpinned."""

from __future__ import annotations

import msgspec


class _Pin(msgspec.Struct, frozen=True):
    version: int


def pin_key(task: str) -> bytes:
    """The record key of a task's pin on the topic `models`: `task:pin`."""
    return f"{task}:pin".encode()


def pin(version: int) -> bytes:
    """The record's value.

    >>> pin(20499)
    b'{"version":20499}'
    """
    return msgspec.json.encode(_Pin(version))


def pinned(value: bytes | None) -> int | None:
    """The version that a record pins; None where it pins none, or cannot be read."""
    try:
        return msgspec.json.decode(value or b"", type=_Pin).version
    except (msgspec.DecodeError, RecursionError):
        return None
