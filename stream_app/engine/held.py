"""A partition's state as it lies in the changelog, read and moved without any catalogue.

Rows stay in the layout that wrote them. All that ties a row to its partition are codes of the
partition's dictionary; what a row is beside that, `Figures` can tell.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import Layout, Rows
from stream_app.engine.changelog import LAYOUT, META, STRING, ChangelogError, Meta
from stream_app.engine.outputs import KeyValue
from stream_app.engine.versions import check_format
from stream_app.features import Dictionary
from stream_app.features import storage as features
from stream_app.features.dictionary import NO_TEXT, OTHER
from stream_app.tagging import codes as tagging

#: What a table of codes has room for, from no text to `OTHER`.
_CODES: Final = OTHER + 1
_SLICE: Final = 10_000
_DIGEST: Final = 16
_MODULUS: Final = 1 << 8 * _DIGEST
_FINGERPRINT: Final = 8

Users = Sequence[bytes]
Table = NDArray[np.uint16]


class Figures(msgspec.Struct, frozen=True):
    """Users, the sum of their versions, and of the digests of what each row is (hexadecimal).

    Sums, so that what is spread over partitions adds up to the same whichever way it is spread.
    """

    users: int = 0
    versions: int = 0
    digest: str = "0" * 2 * _DIGEST

    def __add__(self, other: Figures) -> Figures:
        digest = (int(self.digest, 16) + int(other.digest, 16)) % _MODULUS
        return Figures(
            self.users + other.users,
            self.versions + other.versions,
            f"{digest:0{2 * _DIGEST}x}",
        )


class Block(NamedTuple):
    """Users whose rows have the same layout."""

    layout: Layout
    users: Users
    rows: Rows


@dataclass
class Held:
    """What the changelog of partition `number` holds: of each key the last record."""

    number: int

    def __post_init__(self) -> None:
        self.meta: Meta | None = None
        self.dictionary = Dictionary()
        #: Layouts as they are described, by their key.
        self.layouts: dict[bytes, bytes] = {}
        #: Records of the engine's own that only commands know.
        self.notes: dict[bytes, bytes] = {}
        self.rows: dict[bytes, bytes] = {}

    def add(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Take records in log order. Raises Unready for a format that is not known."""
        for key, value in records:
            if key[:1] == b"\0":
                self._add_internal(key, value)
            elif value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value

    def _add_internal(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.notes.pop(key, None)
        elif key == META:
            self.meta = msgspec.json.decode(value, type=Meta)
            check_format(self.meta.format, self.number)
        elif key.startswith(LAYOUT):
            self.layouts[key] = value
        elif key.startswith(STRING):
            self.dictionary.load(int(key[len(STRING) :]), value.decode())
        else:
            self.notes[key] = value

    def blocks(self, users: Collection[bytes] | None = None) -> Iterator[Block]:
        """Rows of `users`, or of all, by layout; ChangelogError for a layout without description.

        At most 10,000 at a time.
        """
        grouped: dict[bytes, list[bytes]] = {}
        for user in self.rows if users is None else users:
            grouped.setdefault(self.rows[user][:_FINGERPRINT], []).append(user)
        for fingerprint, group in grouped.items():
            layout = self._layout(fingerprint, len(group))
            for first in range(0, len(group), _SLICE):
                some = group[first : first + _SLICE]
                block = b"".join(self.rows[user] for user in some)
                yield Block(layout, some, np.frombuffer(block, dtype=layout.dtype))

    def _layout(self, fingerprint: bytes, rows: int) -> Layout:
        name = layout_key(int.from_bytes(fingerprint, "little"))
        if name not in self.layouts:
            raise ChangelogError(
                f"{rows} profiles of partition {self.number} have the layout "
                f"{name[len(LAYOUT) :].decode()}, whose description is missing"
            )
        return Layout.from_description(msgspec.json.decode(self.layouts[name]))

    def figures(self) -> Figures:
        """What the rows add up to."""
        total = Figures()
        hashes = _hashes(self.dictionary)
        for block in self.blocks():
            versions = int(block.rows["version"].sum(dtype=np.int64))
            digest = sum(_digests(block, hashes)) % _MODULUS
            total += Figures(len(block.users), versions, f"{digest:0{2 * _DIGEST}x}")
        return total

    def texts(self, users: Collection[bytes]) -> set[str]:
        """The strings that the rows of `users` name."""
        found: set[int] = set()
        for block in self.blocks(users):
            found.update(np.unique(_codes(block)).tolist())
        return {self.dictionary.values[code] for code in found - {NO_TEXT, OTHER}}


def layout_key(fingerprint: int) -> bytes:
    """The key of a layout's description."""
    return LAYOUT + b"%016x" % fingerprint


def code_fields(layout: Layout) -> list[str]:
    """The fields that hold codes of the dictionary."""
    names = (field.name for field in layout.fields)
    return [name for name in names if features.holds_codes(name) or tagging.holds_codes(name)]


def recoded(block: Block, own: Dictionary, other: Dictionary) -> Iterator[KeyValue]:
    """The records of rows under another dictionary, which takes the strings that it lacks."""
    used = [c for c in np.unique(_codes(block)).tolist() if c not in (NO_TEXT, OTHER)]
    table = np.zeros(_CODES, np.uint16)
    table[OTHER] = OTHER
    table[used] = other.codes([own.values[code] for code in used])
    rows = block.rows.copy()
    for name in code_fields(block.layout):
        rows[name] = table[rows[name]]
    size, content = block.layout.size, memoryview(rows.tobytes())
    for i, user in enumerate(block.users):
        yield user, content[i * size : (i + 1) * size]


def total(states: Mapping[bytes, bytes]) -> Figures:
    """The same figures of records that are nobody's rows, such as those of `tag-state`."""
    digest = sum(_digest(key, value) for key, value in states.items()) % _MODULUS
    return Figures(len(states), 0, f"{digest:0{2 * _DIGEST}x}")


def _codes(block: Block) -> Table:
    """All codes of the rows (n, k)."""
    n = len(block.rows)
    parts = [block.rows[name].reshape(n, -1) for name in code_fields(block.layout)]
    return np.concatenate(parts, axis=1) if parts else np.zeros((n, 0), np.uint16)


def _hashes(dictionary: Dictionary) -> NDArray[np.uint64]:
    """A hash of the string of each code."""
    table = np.zeros(_CODES, np.uint64)
    known = dictionary.values.known
    table[: len(known)] = [_hash(text) for text in known]
    table[NO_TEXT], table[OTHER] = 0, 1
    return table


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _digests(block: Block, hashes: NDArray[np.uint64]) -> Iterator[int]:
    """What each row is, whatever the codes of its strings."""
    plain = block.rows.copy()
    for name in code_fields(block.layout):
        plain[name] = 0
    named = np.ascontiguousarray(hashes[_codes(block)])
    rows, size = memoryview(plain.tobytes()), block.layout.size
    texts, wide = memoryview(named.tobytes()), named.shape[1] * named.itemsize
    for i, user in enumerate(block.users):
        yield _digest(user, rows[i * size : (i + 1) * size], texts[i * wide : (i + 1) * wide])


def _digest(key: bytes, *parts: bytes | memoryview) -> int:
    found = blake2b(len(key).to_bytes(4, "little") + key, digest_size=_DIGEST)
    for part in parts:
        found.update(part)
    return int.from_bytes(found.digest(), "big")
