"""Messages as newline-delimited JSON: into a file, gzip by its suffix, or standard output."""

from __future__ import annotations

import contextlib
import gzip
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from stream_app.data.stream import Message

STANDARD = "-"
_BATCH = 10_000


@dataclass(slots=True)
class Written:
    """What was written: messages and users by topic."""

    messages: dict[str, int] = field(default_factory=lambda: {"clicks": 0, "purchases": 0})
    users: set[bytes] = field(default_factory=set)

    def add(self, batch: list[Message]) -> None:
        """Count a batch."""
        for message in batch:
            self.messages[message.topic] += 1
        self.users.update(message.key for message in batch)


@contextlib.contextmanager
def open_output(name: str) -> Iterator[BinaryIO]:
    """A file to write bytes to; `-` is standard output. Gzip holds no time: same bytes each run."""
    if name == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with Path(name).open("wb") as plain:
        if not name.endswith(".gz"):
            yield plain
            return
        with gzip.GzipFile(filename="", fileobj=plain, mode="wb", compresslevel=6, mtime=0) as file:
            yield cast("BinaryIO", file)


def write(
    stream: Iterable[Message], out: BinaryIO, progress: Callable[[Message], None] | None = None
) -> Written:
    """Write a line a message; `progress` gets the last message of every 10,000."""
    written = Written()
    remaining = iter(stream)
    while batch := list(islice(remaining, _BATCH)):
        out.write(b"\n".join(message.value for message in batch) + b"\n")
        written.add(batch)
        if progress is not None:
            progress(batch[-1])
    return written
