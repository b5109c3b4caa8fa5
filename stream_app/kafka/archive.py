"""Files of a backup: one a partition, packed, with its hash in the manifest; no Kafka here."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import msgspec

#: Of the files' form; another number cannot be read.
FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
_LENGTH_BYTES: Final = 4


class ArchiveError(Exception):
    """A backup that cannot be written or believed; the message says what is wrong."""


class Kept(NamedTuple):
    """A record in a backup; without a value it is a tombstone. `at` is its timestamp (ms)."""

    key: bytes | None
    value: bytes | None
    at: int
    headers: list[tuple[str, bytes]] = []  # noqa: RUF012 - never changed


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A partition of the topic that plays `role`: its file, how many records, their SHA-256."""

    role: str
    number: int
    file: str
    records: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup holds. `next` are, by partition, the next offsets of the inputs by topic."""

    format: int
    app_id: str
    at: str
    partitions: int
    inputs: list[str]
    next: list[dict[str, int]]
    parts: list[Part]


class PartWriter:
    """Writes a partition's records into `folder`; `done` after the last."""

    def __init__(self, folder: Path, role: str, number: int) -> None:
        self._role, self._number = role, number
        self._file = folder / f"{role}-{number}.gz"
        self._raw: IO[bytes] = self._file.open("xb")
        self._out = gzip.GzipFile(fileobj=self._raw, mode="wb", compresslevel=3, mtime=0)
        self._hash = hashlib.sha256()
        self._records = 0

    def write(self, records: Iterable[Kept]) -> None:
        """Append records."""
        for record in records:
            packed = msgspec.msgpack.encode(record)
            framed = len(packed).to_bytes(_LENGTH_BYTES, "big") + packed
            self._hash.update(framed)
            self._out.write(framed)
            self._records += 1

    def done(self) -> Part:
        """Close the file and say what is in it."""
        self.close()
        digest = self._hash.hexdigest()
        return Part(self._role, self._number, self._file.name, self._records, digest)

    def close(self) -> None:
        """Close the file, whole or not."""
        self._out.close()
        self._raw.close()


def read_part(folder: Path, part: Part) -> Iterator[Kept]:
    """The records of a partition. Raises ArchiveError where they are not those that were kept.

    What is wrong with the end of a file is known only there: `verify` before using any of it.
    """
    name = folder / part.file
    digest, found = hashlib.sha256(), 0
    try:
        with gzip.open(name) as file:
            while prefix := file.read(_LENGTH_BYTES):
                packed = file.read(int.from_bytes(prefix, "big"))
                digest.update(prefix + packed)
                found += 1
                yield msgspec.msgpack.decode(packed, type=Kept)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ArchiveError(f"{name} is damaged: {error}") from error
    if (found, digest.hexdigest()) != (part.records, part.sha256):
        raise ArchiveError(
            f"{name} is damaged: {found} records, {part.records} expected, or others than were kept"
        )


def verify(folder: Path, manifest: Manifest) -> None:
    """Read everything once. Raises ArchiveError at the first damage."""
    for part in manifest.parts:
        for _ in read_part(folder, part):
            pass


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Written last: without it a folder is no backup."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (folder / MANIFEST).write_bytes(text + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Raises ArchiveError where there is none that can be read."""
    file = folder / MANIFEST
    try:
        content: Any = msgspec.json.decode(file.read_bytes())
        stated = content.get("format") if isinstance(content, dict) else None
        if stated != FORMAT:
            raise ArchiveError(f"{file}: format {stated}, expected {FORMAT}")
        return msgspec.convert(content, Manifest)
    except FileNotFoundError:
        raise ArchiveError(
            f"{folder} is no backup: it has no {MANIFEST}, which is written last"
        ) from None
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ArchiveError(f"{file} cannot be read: {error}") from error
