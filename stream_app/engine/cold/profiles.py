"""Profiles of a partition that has more users than memory has room for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import Layout
from stream_app.engine.cold.codec import RAW, Read, decode, encode, encode_raw, split
from stream_app.engine.cold.growing import grown
from stream_app.engine.cold.index import Index
from stream_app.engine.cold.residents import Residents
from stream_app.engine.cold.room import Room
from stream_app.engine.cold.shelf import HEADER, Shelf, ShelfError, row_keys
from stream_app.engine.profiles import NEVER, Profiles
from stream_app.engine.reading import Plain
from stream_app.engine.rows import Rows
from stream_app.features import migrate
from stream_app.learning.sampling import Hashes

if TYPE_CHECKING:
    from stream_app.engine.catalogue import Program

Numbers = NDArray[np.intp]

_SLICE: Final = 10_000
#: Rows that leave at a time beyond those that must, as a share of the room: finding the oldest
#: looks at all.
_SPARE: Final = 32


class Mark(NamedTuple):
    """A place in the changelog: the offset of a round's `\\0meta`, and its value."""

    offset: int
    meta: bytes


class Keeper(Protocol):
    """Keeps the store near the changelog; `checkpoint.Checkpoints` does."""

    def introduction(self) -> list[tuple[bytes, bytes]]: ...
    def committed(self, mark: Mark | None) -> None: ...
    def finish(self) -> Iterator[int]: ...


class ColdProfiles(Profiles):
    """All users of a partition, of whom at most `room.share` have their rows in memory.

    A user's slot is his number in order of first appearance, the same as without a bound, so that
    whatever is published comes in the same order. In memory are, of everybody: what he is found by,
    `due`, and whether he was born; of those in `residents` also the name and the row. The rest is
    on the `shelf`, written when a row makes room for others. That happens between rounds only: what
    is on the shelf has been committed.
    """

    def __init__(
        self, program: Program, number: int, partitions: int, shelf: Shelf, room: Room
    ) -> None:
        super().__init__(program, number, partitions)
        self.shelf: Final = shelf
        self.keeper: Keeper | None = None
        self.index = Index()
        self.residents: Final = Residents()
        #: The layouts that rows on the shelf may have, the program's last.
        self.eras: list[Layout] = [program.layout]
        #: The layouts that the changelog describes: fingerprint in hex, and description.
        self.descriptions: dict[bytes, bytes] = {}
        #: Rows that came back from the shelf, and rows that went there.
        self.loaded = self.stored = 0
        #: Rows changed so far, each as often as it was.
        self.changed = 0
        self.room = room
        self._known = 0
        self._born = np.empty(0, np.bool_)
        self._passing: dict[int, str] = {}
        self._told = 0, 0
        room.enter()

    def __len__(self) -> int:
        return self.index.count - len(self._free)

    @property
    def extent(self) -> int:
        """How many numbers were given; under some nobody is."""
        return self.index.count

    def __contains__(self, user: object) -> bool:
        return isinstance(user, str) and bool(self.find([user])[0] >= 0)

    def known(self) -> Iterator[str]:
        """Yield every user."""
        for numbers in self._slices(np.flatnonzero(self.born())):
            self._pass(numbers[self.residents.places(numbers) < 0])
            yield from self.names(numbers)

    def find(self, users: Sequence[str]) -> Numbers:
        """Return the numbers (m,) of users, -1 for one that is not known."""
        get = self.residents.numbers.get
        numbers = np.array([get(user, -1) for user in users], dtype=np.intp)
        away = np.flatnonzero(numbers < 0).tolist()
        if away:
            distinct = list(dict.fromkeys(users[i] for i in away))
            found = dict(zip(distinct, self.index.find(distinct).tolist(), strict=True))
            numbers[away] = [found[users[i]] for i in away]
        return numbers

    def add(self, users: Sequence[str]) -> Numbers:
        """Make blank rows for `users`, none of which is known, and return their numbers."""
        numbers = self._number(users)
        places = self._enter(numbers, users)
        self.rows.scatter(places, self.program.layout.blank(len(users)))
        return numbers

    def _number(self, users: Sequence[str]) -> Numbers:
        numbers = self.index.add(users, self._take(len(users)))
        self._grow(NEVER, born=False)
        return numbers

    def _grow(self, due: int, *, born: bool) -> None:
        known, n = self._known, self.index.count
        self._due, self._born = grown(self._due, n), grown(self._born, n)
        self._due[known:n], self._born[known:n] = due, born
        self.residents.known(n)
        self._known = n

    def _enter(self, numbers: Numbers, users: Sequence[str]) -> NDArray[np.intp]:
        places = self.residents.enter(numbers, users)
        lacking = self.residents.capacity - self.rows.count
        if lacking > 0:
            self.rows.extend(lacking)
        return places

    @property
    def due(self) -> NDArray[np.int64]:
        """Next moment (ms) at which each row can change without an event, by number."""
        return self._due[: self.index.count]

    def born(self) -> NDArray[np.bool_]:
        """Whether each user has had an event, by number."""
        return self._born[: self.index.count]

    def hashes(self) -> Hashes:
        """Return a stable hash of every user, by number."""
        return self.index.hashes

    def names(self, slots: Numbers) -> list[str]:
        """The users with these numbers, whose rows were brought or gathered last."""
        places = self.residents.places(slots)
        if not (places < 0).any():
            return self.residents.names(places)
        names = [self._passing.get(number, "") for number in slots.tolist()]
        warm = np.flatnonzero(places >= 0)
        for i, name in zip(warm.tolist(), self.residents.names(places[warm]), strict=True):
            names[i] = name
        return names

    def bring(self, slots: Numbers, used: Numbers) -> None:
        """Have the rows of all `slots` in memory, by one read; events came for those in `used`."""
        self._passing = {}
        away = slots[self.residents.places(slots) < 0]
        if len(away):
            found = self._read_rows(away)
            self.rows.scatter(self._enter(away, found.users), found.rows)
        self.residents.use(self.residents.places(used))

    def gather(self, slots: Numbers) -> NDArray[np.void]:
        """Return a working copy of the rows; those not in memory are read and go again."""
        places = self.residents.places(slots)
        away = places < 0
        if not away.any():
            return self.rows.gather(places, self.program.layout.dtype)
        rows = np.empty(len(slots), dtype=self.program.layout.dtype)
        rows[~away] = self.rows.gather(places[~away], self.program.layout.dtype)
        rows[away] = self._pass(slots[away]).rows
        return rows

    def scatter(self, slots: Numbers, rows: NDArray[np.void]) -> None:
        """Write working copies of rows in memory back and take over their `due`."""
        places = self.residents.places(slots)
        self.rows.scatter(places, rows)
        self.residents.change(places)
        self.changed += len(slots)
        self._due[slots] = rows["due"]
        self._born[slots] = rows["born"] != 0

    def put(self, users: Sequence[str], rows: NDArray[np.void]) -> None:
        """Write whole rows of users, known or not; of a repeated user the last row stays."""
        self.residents.round += 1
        numbers = self.find(users)
        unknown = np.flatnonzero(numbers < 0).tolist()
        if unknown:
            self._number(list(dict.fromkeys(users[i] for i in unknown)))
            numbers[unknown] = self.index.find([users[i] for i in unknown])
        away = np.flatnonzero(self.residents.places(numbers) < 0).tolist()
        if away:
            names = dict(zip(numbers[away].tolist(), (users[i] for i in away), strict=True))
            self._enter(np.array(list(names), dtype=np.intp), list(names.values()))
        self.residents.use(self.residents.places(numbers))
        self.scatter(numbers, rows)
        self.settle()

    def put_raw(self, rows: Mapping[str, bytes]) -> Numbers:
        """Shelve rows, by user, of layouts that are not described yet; see `described`."""
        users = list(rows)
        numbers = self.find(users)
        unknown = np.flatnonzero(numbers < 0)
        if len(unknown):
            numbers[unknown] = self._number([users[i] for i in unknown.tolist()])
        self._due[numbers], self._born[numbers] = 0, True
        places = self.residents.places(numbers)
        self.residents.leave(places[places >= 0])
        raw = [encode_raw(user, row) for user, row in rows.items()]
        self.shelf.write(list(zip(row_keys(numbers), raw, strict=True)))
        return numbers

    def described(self, numbers: Numbers) -> Iterator[tuple[list[str], list[bytes]]]:
        """Yield the users and rows put raw under `numbers` that nothing has superseded."""
        numbers = np.unique(numbers)
        for some in self._slices(numbers[self._born[numbers]]):
            away = some[self.residents.places(some) < 0]
            found = [split(value) for value in self._values(away)]
            left = [(user, row) for era, user, row in found if era == RAW]
            if left:
                yield [user for user, _ in left], [row for _, row in left]

    def forget(self, slots: Numbers) -> None:
        """Have nobody under these numbers. What is on the shelf stays until it is overwritten."""
        places = self.residents.places(slots)
        self.residents.leave(places[places >= 0])
        self.index.forget(slots)
        self._born[slots] = False
        self._vacate(slots)

    def settle(self) -> None:
        """Shelve the rows that are too many; what is in memory has been committed."""
        self.residents.round += 1
        share, count = self.room.share, self.residents.count
        if count > share:
            leaving = self.residents.oldest(count - share + share // _SPARE)
            self.store(self.residents.only_dirty(leaving))
            self.residents.leave(leaving)

    def store(self, places: NDArray[np.intp]) -> None:
        """Write the rows at places to the shelf, in one batch."""
        if len(places):
            self.shelf.write(self._pairs(places))
            self.residents.written(places)
            self.stored += len(places)

    def _pairs(self, places: NDArray[np.intp]) -> list[tuple[bytes, bytes]]:
        layout = self.program.layout
        users, era = self.residents.names(places), len(self.eras) - 1
        block = self.rows.gather(places, layout.dtype).tobytes()
        keys = row_keys(self.residents.number(places))
        return list(zip(keys, encode(users, block, layout.size, era), strict=True))

    def decide_anew(self) -> None:
        """Make every row due: its tags were decided under another catalogue or by other models."""
        self._due[: self.index.count] = np.where(self.born(), 0, NEVER)

    def read(self, user: str, at: int | None = None) -> dict[str, Plain]:
        """Return a user's feature values at `at` (ms), by default at partition time."""
        number = self.find([user])
        if number[0] < 0:
            raise KeyError(user)
        return next(self._read(number, self.time if at is None else at))

    def read_all(self, at: int) -> Iterator[tuple[str, dict[str, Plain]]]:
        """Yield every user with his feature values at `at` (ms)."""
        for numbers in self._slices(np.flatnonzero(self.born())):
            values = self._read(numbers, at)
            rows = list(values)
            yield from zip(self.names(numbers), rows, strict=True)

    def load(
        self,
        hashes: NDArray[np.generic],
        checks: NDArray[np.generic],
        due: NDArray[np.generic],
        born: NDArray[np.generic],
    ) -> None:
        """Number users (m,) whose rows are on the shelf already."""
        numbers = self.index.load(hashes, checks)  # type: ignore[arg-type]
        self._grow(NEVER, born=False)
        self._due[numbers], self._born[numbers] = due, born
        # Whoever is numbered between rounds has had an event.
        self._free = np.concatenate((self._free, numbers[~self._born[numbers]]))

    @property
    def resident(self) -> int:
        """How many rows are in memory."""
        return self.residents.count

    def take_traffic(self) -> tuple[int, int]:
        """How many rows came from the shelf and went there since the last call."""
        read, written = self.loaded - self._told[0], self.stored - self._told[1]
        self._told = self.loaded, self.stored
        return read, written

    def committed(self, offset: int | None, meta: bytes) -> None:
        """Bring the store a little nearer to this commit."""
        if self.keeper is not None:
            self.keeper.committed(None if offset is None else Mark(offset, meta))

    def introduction(self) -> list[tuple[bytes, bytes]]:
        """Return the records that the next commit has to have right after its `\\0meta`."""
        return [] if self.keeper is None else self.keeper.introduction()

    def leave(self, *, settled: bool) -> Iterator[int]:
        """Bring the store to the last commit, where `settled`, and let go of it."""
        try:
            if settled and self.keeper is not None:
                yield from self.keeper.finish()
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the shelf and of the room."""
        self.room.leave()
        self.shelf.close()

    def _migrated(self, program: Program) -> Profiles:
        old, new = self.program.layout, program.layout
        rows = Rows(new.size)
        rows.extend(self.rows.count)
        for places in self._slices(np.arange(self.rows.count)):
            moved = migrate(self.rows.gather(places, old.dtype), old, new)
            rows.scatter(places, moved)
        self.rows = rows
        # A checkpoint of before does not know this era, and need not: what is shelved in it has
        # changed since, so that the changelog brings it again.
        self.eras.append(new)
        return self

    @staticmethod
    def _slices(every: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
        for first in range(0, len(every), _SLICE):
            yield every[first : first + _SLICE]

    def _pass(self, numbers: Numbers) -> Read:
        found = self._read_rows(numbers)
        self._passing = dict(zip(numbers.tolist(), found.users, strict=True))
        return found

    def _read_rows(self, numbers: Numbers) -> Read:
        self.loaded += len(numbers)
        values = self._values(numbers)
        try:
            return decode(values, self.eras)
        except Exception as error:
            raise self._distrusted(f"holds what is no row: {error}") from error

    def _distrusted(self, why: str) -> ShelfError:
        """Have the next start begin anew, and return what ends this one."""
        self.shelf.write([(HEADER, b"")])
        self.shelf.flush()
        return ShelfError(
            f"the local store of partition {self.number} {why}. It is a copy of the changelog, "
            "and the next start makes it anew"
        )

    def _values(self, numbers: Numbers) -> list[bytes]:
        born = self._born[numbers]
        found = iter(self.shelf.read(row_keys(numbers[born])))
        # Under the number of a forgotten user lies what was his.
        values = [next(found) if there else self._blank() for there in born.tolist()]
        whole = [value for value in values if value is not None]
        if len(whole) < len(values):
            lacking = len(values) - len(whole)
            raise self._distrusted(f"lacks {lacking} of {len(values)} rows")
        return whole

    def _blank(self) -> bytes:
        """What is there of a user who is forgotten."""
        layout = self.program.layout
        return encode([""], layout.blank().tobytes(), layout.size, len(self.eras) - 1)[0]
