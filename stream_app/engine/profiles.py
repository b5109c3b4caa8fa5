"""The profiles of one partition: rows by user, what is due when, and the strings they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.engine.feed import Feed
from stream_app.engine.reading import Plain, plain_rows
from stream_app.engine.rows import Rows
from stream_app.features import Dictionary, migrate
from stream_app.learning.sampling import Hashes, hashes

if TYPE_CHECKING:
    from stream_app.engine.catalogue import Program
    from stream_app.engine.models import Models

NEVER: Final = np.iinfo(np.int64).max
#: Rows migrated at a time, which bounds the memory beside the old and new rows.
_SLICE: Final = 10_000


class Profiles:
    """All users of partition `number` of `partitions`; one writer at a time.

    `due` mirrors the rows' field of that name in one piece, so that a look for due rows touches
    8 bytes a user. `time` is partition time (ms), which never falls. Without `models` what they
    decided before stays until it expires. Slots of users who were forgotten are given again.
    """

    def __init__(self, program: Program, number: int = 0, partitions: int = 1) -> None:
        self.program = program
        self.number = number
        self.partitions = partitions
        self.time = 0
        self.rows = Rows(program.layout.size)
        self.slots: dict[str, int] = {}
        self.users: list[str] = []
        self.dictionary = Dictionary()
        self.feed = Feed()
        self.models: Models | None = None
        self._hashes: Hashes = np.empty(0, dtype=np.uint64)
        self._due = np.empty(0, dtype=np.int64)
        #: Slots of nobody, ascending.
        self._free: NDArray[np.intp] = np.empty(0, dtype=np.intp)

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def extent(self) -> int:
        """How many slots there are; in some nobody is."""
        return len(self.users)

    @property
    def due(self) -> NDArray[np.int64]:
        """Next moment (ms) at which each row can change without an event, by slot."""
        return self._due[: self.extent]

    def add(self, users: Sequence[str]) -> NDArray[np.intp]:
        """Make blank rows for `users`, none of which is known, and return their slots."""
        first = self.extent
        slots = self._take(len(users))
        again = int(np.count_nonzero(slots < first))
        if again:
            self._replace(slots[:again], users[:again])
        self.users.extend(users[again:])
        self.rows.extend(len(users) - again)
        self.slots.update(zip(users, slots.tolist(), strict=True))
        if len(self.users) > len(self._due):
            # Empty, not filled: pages beyond the last user take no memory.
            grown = np.empty(max(1_024, 2 * len(self.users)), dtype=np.int64)
            grown[:first] = self._due[:first]
            self._due = grown
        self._due[slots] = NEVER
        blank = self.program.layout.blank()
        self.rows.scatter(slots, np.repeat(blank, len(users)))
        return slots

    def _take(self, n: int) -> NDArray[np.intp]:
        """Return slots for `n` users, ascending: those of nobody before new ones."""
        free, self._free = self._free[:n], self._free[n:]
        first = self.extent
        return np.concatenate((free, np.arange(first, first + n - len(free), dtype=np.intp)))

    def _replace(self, slots: NDArray[np.intp], users: Sequence[str]) -> None:
        for slot, user in zip(slots.tolist(), users, strict=True):
            self.users[slot] = user
        # Of the others they are not worked out yet.
        known = slots[slots < len(self._hashes)]
        self._hashes[known] = hashes(users[: len(known)])

    def forget(self, slots: NDArray[np.intp]) -> None:
        """Have nobody at `slots` (m,), which are distinct; whoever comes next gets them."""
        for slot in slots.tolist():
            del self.slots[self.users[slot]]
            self.users[slot] = ""
        self.rows.scatter(slots, self.program.layout.blank(len(slots)))
        self._vacate(slots)

    def _vacate(self, slots: NDArray[np.intp]) -> None:
        self._due[slots] = NEVER
        # Two ascending runs: merged in one pass.
        self._free = np.sort(np.concatenate((self._free, np.sort(slots))), kind="stable")

    def __contains__(self, user: object) -> bool:
        return user in self.slots

    def known(self) -> Iterator[str]:
        """Yield every user, in order of slots."""
        yield from self.slots

    def find(self, users: Sequence[str]) -> NDArray[np.intp]:
        """Return the slots (m,) of users, -1 for one that is not known."""
        return np.fromiter(map(self.slots.get, users, repeat(-1)), np.intp, len(users))

    def names(self, slots: NDArray[np.intp]) -> list[str]:
        """Return the users at `slots` (m,), whose rows were brought or gathered last."""
        users = self.users
        return [users[slot] for slot in slots.tolist()]

    def bring(self, slots: NDArray[np.intp], used: NDArray[np.intp]) -> None:
        """Have the rows at `slots` at hand; events came for those in `used`. They always are."""

    def settle(self) -> None:
        """Take note that all that was folded is committed, before the next round is."""

    def committed(self, offset: int | None, meta: bytes) -> None:
        """Take note of a commit: `meta` is at `offset` of the changelog, where that is known."""

    def introduction(self) -> list[tuple[bytes, bytes]]:
        """Return the records that the next commit has to have right after its `\\0meta`."""
        return []

    def leave(self, *, settled: bool) -> Iterator[int]:
        """Let go of everything; yields now and then, to let others work meanwhile.

        What was folded is committed where `settled`.
        """
        yield from ()

    @property
    def resident(self) -> int:
        """How many rows are in memory."""
        return len(self)

    def take_traffic(self) -> tuple[int, int]:
        """How many rows came into memory and left it since the last call."""
        return 0, 0

    def put(self, users: Sequence[str], rows: NDArray[np.void]) -> None:
        """Write whole rows of users (m,), known or not; of a repeated user the last row stays."""
        slots = self.find(users)
        unknown = np.flatnonzero(slots < 0).tolist()
        if unknown:
            self.add(list(dict.fromkeys(users[i] for i in unknown)))
            slots[unknown] = self.find([users[i] for i in unknown])
        self.scatter(slots, rows)

    def born(self) -> NDArray[np.bool_]:
        """Return whether each user has had an event, by slot: rows are there before."""
        born: NDArray[np.bool_] = self.rows.column("born", self.program.layout.dtype) != 0
        return born

    def hashes(self) -> Hashes:
        """Return a stable hash of every user, by slot; worked out once a user, when asked for."""
        known = len(self._hashes)
        if known < len(self.users):
            self._hashes = np.concatenate((self._hashes, hashes(self.users[known:])))
        return self._hashes

    def gather(self, slots: NDArray[np.intp]) -> NDArray[np.void]:
        """Return a working copy of the rows at `slots`."""
        return self.rows.gather(slots, self.program.layout.dtype)

    def scatter(self, slots: NDArray[np.intp], rows: NDArray[np.void]) -> None:
        """Write working copies back and take over their `due`."""
        self.rows.scatter(slots, rows)
        self._due[slots] = rows["due"]

    def due_slots(self, now: int, limit: int) -> NDArray[np.intp]:
        """Return at most `limit` slots whose `due` has come by `now` (ms)."""
        due = self.due if limit else self.due[:0]
        return (due <= now).nonzero()[0][:limit]

    def under(self, program: Program) -> Profiles:
        """Return these profiles under another catalogue, every row due to be decided anew.

        The users are shared with the old profiles, which must not be used any more.
        """
        moved = self if program.layout == self.program.layout else self._migrated(program)
        moved.program = program
        moved.models = self.models.under(program.catalogue.learning) if self.models else None
        moved.decide_anew()
        return moved

    def use_models(self, models: Models) -> None:
        """Decide by these models from now on, every row anew."""
        self.models = models
        self.decide_anew()

    def decide_anew(self) -> None:
        """Make every row due: its tags were decided under another catalogue or by other models."""
        self._due[: self.extent] = 0
        self._due[self._free] = NEVER

    def read(self, user: str, at: int | None = None) -> dict[str, Plain]:
        """Return a user's feature values at `at` (ms), by default at partition time."""
        slot = np.array([self.slots[user]], dtype=np.intp)
        return next(self._read(slot, self.time if at is None else at))

    def read_all(self, at: int) -> Iterator[tuple[str, dict[str, Plain]]]:
        """Yield every user with his feature values at `at` (ms)."""
        everybody = np.sort(np.fromiter(self.slots.values(), np.intp, len(self.slots)))
        for first in range(0, len(everybody), _SLICE):
            slots = everybody[first : first + _SLICE]
            yield from zip(self.names(slots), self._read(slots, at), strict=True)

    def _read(self, slots: NDArray[np.intp], at: int) -> Iterator[dict[str, Plain]]:
        values = self.program.features.values(self.gather(slots), at, self.dictionary)
        return plain_rows(values, len(slots))

    def _migrated(self, program: Program) -> Profiles:
        moved = Profiles(program, self.number, self.partitions)
        moved.time, moved.dictionary, moved.feed = self.time, self.dictionary, self.feed
        moved.users, moved.slots = self.users, self.slots
        moved._due, moved._hashes, moved._free = self._due, self._hashes, self._free
        moved.rows.extend(self.extent)
        for first in range(0, self.extent, _SLICE):
            slots = np.arange(first, min(first + _SLICE, self.extent), dtype=np.intp)
            rows = migrate(self.gather(slots), self.program.layout, program.layout)
            moved.rows.scatter(slots, rows)
        return moved
