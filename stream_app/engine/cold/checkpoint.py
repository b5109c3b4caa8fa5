"""Bringing the local store to a place in the changelog, a little each round, and back from there.

A checkpoint names the record `\\0meta` of a committed round. It is written after every row that
had changed by then, and the store loses nothing but the last batches (see `Shelf`): where it is
found, those rows are there. Rows of later rounds may be there too. They are committed and lie
behind the checkpoint in the changelog, so reading on from it ends where the changelog ends.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import Layout
from stream_app.engine.catalogue import Program
from stream_app.engine.changelog import STORE, Meta
from stream_app.engine.cold.keeper import Mark
from stream_app.engine.cold.profiles import ColdProfiles
from stream_app.engine.cold.room import Room
from stream_app.engine.cold.shelf import DUE_PAGE, HEADER, NAME_PAGE, Shelf

#: A new checkpoint begins after so many changed rows, or twice as many as memory has room for:
#: what is read again after a crash is a small multiple of it.
EVERY_ROWS: Final = 200_000
#: Rows written at a time.
_SLICE: Final = 2_000
_PAGE: Final = 65_536
_FORMAT: Final = 2


class Owner(msgspec.Struct, frozen=True):
    """Whose store it is: the changelog's topic, and the partition's number of how many."""

    changelog: str
    number: int
    partitions: int


class Name(msgspec.Struct, frozen=True):
    """A text that no other store has, and the offset of `\\0store`, the record that has it too.

    Nothing but another store's supersedes that record, so that it proves whose changelog it is.
    """

    text: str
    offset: int | None = None


class _Header(msgspec.Struct, frozen=True):
    owner: Owner
    name: Name
    format: int
    offset: int
    meta: str
    users: int
    descriptions: list[str]
    eras: list[dict[str, object]]
    strings: list[str]


class Checkpoints:
    """Takes checkpoints of `profiles`, whose every round is told to `committed`."""

    def __init__(
        self,
        profiles: ColdProfiles,
        owner: Owner,
        name: Name,
        *,
        known: int = 0,
        every: int = EVERY_ROWS,
    ) -> None:
        """Begin, where `known` users are in the store's pages already."""
        self._every = every
        self.profiles: Final = profiles
        self._owner, self._name = owner, name
        self._named, self._edition = known, profiles.index.edition
        self._mark: Mark | None = None
        self._under: Mark | None = None
        self._pending: NDArray[np.intp] = np.empty(0, np.intp)
        self._since = profiles.changed if known else -(2**62)

    def introduction(self) -> list[tuple[bytes, bytes]]:
        """Return the record that the changelog does not have yet."""
        return [] if self._name.offset is not None else [(STORE, self._name.text.encode())]

    def committed(self, mark: Mark | None) -> None:
        """All that was folded is committed, at `mark` (None: nobody knows where)."""
        profiles = self.profiles
        self._mark = mark
        if mark is not None:
            if self._name.offset is None:
                self._name = Name(self._name.text, mark.offset + 1)
            self._describe(mark)
        changed = profiles.changed - self._since
        if self._under is None and changed >= max(self._every, 2 * profiles.room.share):
            self._begin()
        if self._under is not None:
            self._go_on()

    def finish(self) -> Iterator[int]:
        """Take one of all that is committed; yields the rows left, to let others work meanwhile."""
        self._begin()
        while self._under is not None:
            self._go_on()
            yield len(self._pending)
        self.profiles.shelved.shelf.flush()

    def _describe(self, mark: Mark) -> None:
        """Take note of the layout that the changelog describes by now at the latest."""
        fingerprint, known = _layout_of(mark), self.profiles.shelved.descriptions
        if b"%016x" % fingerprint not in known:
            for era in self.profiles.shelved.eras:
                if era.fingerprint == fingerprint:
                    known[b"%016x" % fingerprint] = msgspec.json.encode(era.describe())

    def _begin(self) -> None:
        profiles = self.profiles
        # Beside rows of a layout that the changelog does not describe yet, none is of use.
        if self._mark is not None and _layout_of(self._mark) == profiles.program.layout.fingerprint:
            self._under, self._since = self._mark, profiles.changed
            self._pending = profiles.residents.dirty()

    def _go_on(self) -> None:
        profiles, under = self.profiles, self._under
        now, self._pending = self._pending[:_SLICE], self._pending[_SLICE:]
        profiles.store(profiles.residents.only_dirty(now))
        if not len(self._pending) and under is not None:
            self._under = None
            if _layout_of(under) == profiles.program.layout.fingerprint:
                self._write(under)
                self.profiles.shelved.shelf.flush(wait=False)

    def _write(self, mark: Mark) -> None:
        profiles = self.profiles
        header = _Header(
            owner=self._owner,
            name=self._name,
            format=_FORMAT,
            offset=mark.offset,
            meta=mark.meta.decode(),
            users=profiles.extent,
            descriptions=[text.decode() for text in profiles.shelved.descriptions.values()],
            eras=[era.describe() for era in profiles.shelved.eras],
            strings=profiles.dictionary.values.known[1:],
        )
        profiles.shelved.shelf.write([*self._pages(), (HEADER, msgspec.json.encode(header))])
        self._named, self._edition = profiles.extent, profiles.index.edition

    def _pages(self) -> Iterator[tuple[bytes, bytes]]:
        profiles, index = self.profiles, self.profiles.index
        named = self._named if index.edition == self._edition else 0
        for first in range(0, profiles.extent, _PAGE):
            page, part = first // _PAGE, slice(first, first + _PAGE)
            due, born = profiles.due[part], profiles.born()[part]
            yield DUE_PAGE % page, due.tobytes() + born.tobytes()
            if first + _PAGE > named:
                known = index.hashes[part].tobytes() + index.checks[part].tobytes()
                yield NAME_PAGE % page, known


class Unusable(Exception):
    """The store cannot be continued from; says why."""


class Found(NamedTuple):
    """What a store holds, and where in the changelog to read on."""

    profiles: ColdProfiles
    mark: Mark
    name: Name


def load(shelf: Shelf, program: Program, owner: Owner, room: Room) -> Found:
    """Return at once what `loading` returns."""
    steps = loading(shelf, program, owner, room)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found: Found = done.value
            return found


def loading(
    shelf: Shelf, program: Program, owner: Owner, room: Room
) -> Generator[int, None, Found]:
    """Return the profiles of a store as its last checkpoint left them. Raises Unusable.

    Yields how many users are loaded, to let others work meanwhile.
    """
    header = _header(shelf, owner)
    eras = [Layout.from_description(era) for era in header.eras]
    if not eras or eras[-1].fingerprint != program.layout.fingerprint:
        raise Unusable("its rows are of another layout")
    profiles = ColdProfiles(program, owner.number, owner.partitions, shelf, room)
    try:
        profiles.index.reserve(header.users)
        for first in range(0, header.users, _PAGE):
            _load_page(profiles, shelf, first // _PAGE, min(_PAGE, header.users - first))
            yield profiles.extent
        for code, text in enumerate(header.strings, 1):
            profiles.dictionary.load(code, text)
    except BaseException:
        room.leave()
        raise
    profiles.shelved.eras = eras
    for text in header.descriptions:
        layout = Layout.from_description(msgspec.json.decode(text))
        profiles.shelved.descriptions[b"%016x" % layout.fingerprint] = text.encode()
    return Found(profiles, Mark(header.offset, header.meta.encode()), header.name)


def _load_page(profiles: ColdProfiles, shelf: Shelf, page: int, n: int) -> None:
    """Load n users."""
    due, names = shelf.read([DUE_PAGE % page, NAME_PAGE % page])
    profiles.load(*_columns(names, n, "<u8", "<u4"), *_columns(due, n))


def _header(shelf: Shelf, owner: Owner) -> _Header:
    [written] = shelf.read([HEADER])
    if not written:
        raise Unusable("it has no checkpoint")
    try:
        header = msgspec.json.decode(written, type=_Header)
    except ValueError as error:
        raise Unusable(f"its checkpoint cannot be read: {error}") from error
    if header.format != _FORMAT:
        raise Unusable(f"it has format {header.format}, not {_FORMAT}")
    if header.owner != owner:
        raise Unusable(f"it is of {header.owner}, not of {owner}")
    return header


def _columns(
    page: bytes | None, n: int, first: str = "<i8", second: str = "?"
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Two columns of n elements; a page may hold more, of users who are not committed."""
    widths = np.dtype(first).itemsize, np.dtype(second).itemsize
    length = len(page or b"") // sum(widths)
    if page is None or length < n:
        raise Unusable("a page is missing or cut")
    one = np.frombuffer(page, first, count=length)
    other = np.frombuffer(page, second, count=length, offset=length * widths[0])
    return one[:n], other[:n]


def _layout_of(mark: Mark) -> int:
    return int(msgspec.json.decode(mark.meta, type=Meta).layout or "0", 16)
