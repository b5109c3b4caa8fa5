"""Files of a backup: one a partition, packed, with its hash in the manifest; no Kafka here."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import msgspec

#: Of the files' form; another number cannot be read.
FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
_LENGTH_BYTES: Final = 4
#: No record is nearly as large; a length above it is damage, and is not read.
_MOST_BYTES: Final = 2**28
#: What each partition has, and what there is one partition of where something is learned.
_MANY: Final = ("tag-state", "changelog")
_LEARNED: Final = ("training", "models")
#: Events on the way to their users, where events are routed.
_ROUTED: Final = "routed"


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
        self._raw: IO[bytes] = _own(self._file)
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
        """Close the file, which is on the disk then, and say what is in it."""
        self._out.close()
        _keep(self._raw)
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
                length = int.from_bytes(prefix, "big")
                if length > _MOST_BYTES:
                    raise ArchiveError(f"{name} is damaged: a record of {length} bytes")
                packed = file.read(length)
                digest.update(prefix + packed)
                found += 1
                yield msgspec.msgpack.decode(packed, type=Kept)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ArchiveError(f"{name} is damaged: {error}") from error
    if (found, digest.hexdigest()) != (part.records, part.sha256):
        raise ArchiveError(
            f"{name} is damaged: {found} records, {part.records} expected, or others than were kept"
        )


def verify(
    folder: Path, manifest: Manifest, look: Callable[[Part, Kept], None] = lambda part, kept: None
) -> None:
    """Read everything once, and have each record looked at. ArchiveError at the first damage."""
    for part in manifest.parts:
        for kept in read_part(folder, part):
            look(part, kept)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Written last: without it a folder is no backup."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    # Whole or not there, also where the power goes.
    part = folder / f"{MANIFEST}.part"
    with _own(part) as file:
        file.write(text + b"\n")
        _keep(file)
    part.rename(folder / MANIFEST)
    names = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(names)
    finally:
        os.close(names)


def read_manifest(folder: Path) -> Manifest:
    """Raises ArchiveError where there is none that can be read, and where it lacks something."""
    file = folder / MANIFEST
    try:
        content: Any = msgspec.json.decode(file.read_bytes())
        stated = content.get("format") if isinstance(content, dict) else None
        if stated != FORMAT:
            raise ArchiveError(f"{file}: format {stated}, expected {FORMAT}")
        manifest = msgspec.convert(content, Manifest)
    except FileNotFoundError:
        raise ArchiveError(
            f"{folder} is no backup: it has no {MANIFEST}, which is written last"
        ) from None
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ArchiveError(f"{file} cannot be read: {error}") from error
    if lack := _lack(manifest):
        raise ArchiveError(f"{file} is not whole: {lack}")
    return manifest


def _lack(manifest: Manifest) -> str:
    """What a manifest has too much or too little of; empty for one that `backup` wrote."""
    number = manifest.partitions
    if not 0 < number <= len(manifest.parts):
        return f"it should have files of {number} partitions"
    wanted = {(role, n) for role in _MANY for n in range(number)}
    there = Counter((part.role, part.number) for part in manifest.parts)
    if any(role == _ROUTED for role, _ in there):
        wanted |= {(_ROUTED, n) for n in range(number)}
    if any(role in _LEARNED for role, _ in there):
        wanted |= {(role, 0) for role in _LEARNED}
    if wrong := sorted((wanted ^ set(there)) | {one for one, n in there.items() if n > 1}):
        return "it should have once: " + ", ".join(f"{role} {n}" for role, n in wrong[:9])
    if len(manifest.next) != number:
        return f"offsets of {len(manifest.next)} partitions, {number} expected"
    files = [part.file for part in manifest.parts]
    if any(Path(file).name != file for file in files) or len(set(files)) < len(files):
        return "a file is not in its folder, or there twice"
    return ""


def _own(file: Path) -> IO[bytes]:
    """A new file that nobody else may read: what is kept is personal."""
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _keep(file: IO[bytes]) -> None:
    """Close a file once the disk has it."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
