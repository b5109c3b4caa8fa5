"""Lines of files and of standard input, plain or gzip, in chunks and with their numbers."""

from __future__ import annotations

import gzip
import select
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

STANDARD: Final = "-"
CHUNK_BYTES: Final = 2 * 1024 * 1024
#: A longer line is cut, so that a file without line ends does not fill the memory.
LONGEST_LINE: Final = 16 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"


class LinesError(Exception):
    """A file cannot be read to its end; the message names it."""


class Source(Protocol):
    """Bytes from a file, from a pipe or unpacked: `read1` waits for some, not for all."""

    def read1(self, size: int, /) -> bytes: ...
    def fileno(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines of a file without their ends; `first` is the number of the first, from 1.

    `position` is how many bytes of the file, as it is stored, have been read.
    """

    file: str
    first: int
    lines: list[bytes]
    position: int


def read_chunks(name: str, size: int = CHUNK_BYTES) -> Iterator[Chunk]:
    """The lines of a file, or of standard input for `-`; whether it is gzip shows in its bytes.

    From a pipe a chunk is what is there, so that a slow source is not waited for. Raises OSError
    for a file that cannot be opened and LinesError for damaged gzip.
    """
    if name == STANDARD:
        yield from _chunks("standard input", sys.stdin.buffer, size)
    else:
        with Path(name).open("rb") as file:
            yield from _chunks(name, file, size)


def _chunks(name: str, raw: BinaryIO, size: int) -> Iterator[Chunk]:
    peek = getattr(raw, "peek", None)
    packed = peek is not None and peek(2)[:2] == _GZIP
    source = cast("Source", gzip.GzipFile(fileobj=raw) if packed else raw)
    number = 1
    for lines in _split(_blocks(source, name, size)):
        yield Chunk(name, number, lines, _position(raw))
        number += len(lines)


def _blocks(source: Source, name: str, size: int) -> Iterator[bytes]:
    """Blocks of bytes; a pipe's pieces are joined as long as there are more at once."""
    while True:
        try:
            block = source.read1(size)
            while block and len(block) < size and _more(source):
                further = source.read1(size - len(block))
                if not further:
                    break
                block += further
        except (EOFError, zlib.error, gzip.BadGzipFile) as damage:
            raise LinesError(f"{name}: damaged gzip: {damage}") from damage
        if not block:
            return
        yield block


def _more(source: Source) -> bool:
    """Whether reading would not wait."""
    try:
        return bool(select.select([source.fileno()], [], [], 0)[0])
    except (OSError, ValueError):  # no descriptor: bytes in memory
        return True


def _split(blocks: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Whole lines of each block; the last one may have no end."""
    begun: list[bytes] = []
    length = 0
    for block in blocks:
        head, end, tail = block.rpartition(b"\n")
        if end:
            lines = (b"".join(begun) + head).split(b"\n")
            begun, length = [], 0
            yield lines
        room = max(LONGEST_LINE - length, 0)
        begun.append(tail[:room])
        length += min(len(tail), room)
    if length:
        yield [b"".join(begun)]


def _position(raw: BinaryIO) -> int:
    try:
        return raw.tell()
    except OSError:
        return 0
