"""Where the rows of a partition are that has more users than memory has room for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.engine.cold.codec import Read
from stream_app.engine.cold.growing import grown
from stream_app.engine.cold.index import Index, Known
from stream_app.engine.cold.residents import Residents
from stream_app.engine.cold.room import Room
from stream_app.engine.cold.shelf import Shelf
from stream_app.engine.cold.shelved import Shelved
from stream_app.engine.profiles import NEVER, Profiles
from stream_app.engine.rows import Rows
from stream_app.features import migrate
from stream_app.learning.sampling import Hashes

if TYPE_CHECKING:
    from stream_app.engine.catalogue import Program

Numbers = NDArray[np.intp]

#: Rows read at a time where all are: about as long as a small fold, in which nothing else runs.
_SLICE: Final = 2_000
#: Rows that are chosen to leave beyond those that must, as a share of the room.
_SPARE: Final = 32
#: Rows that leave at a time beyond those that came, where the room has shrunk: a worker was given
#: another partition.
_MORE: Final = 2_000


class ColdRows(Profiles):
    """All users of a partition, of whom at most `room.share` have their rows in memory.

    A user's slot is his number in order of first appearance, the same as without a bound, so that
    whatever is published comes in the same order. In memory are, of everybody: what he is found by,
    `due`, and whether he was born; of those in `residents` also the name and the row. The rest is
    `shelved`, written when a row makes room for others. That happens between rounds only: what
    is shelved has been committed.
    """

    def __init__(
        self, program: Program, number: int, partitions: int, shelf: Shelf, room: Room
    ) -> None:
        super().__init__(program, number, partitions)
        self.shelved: Final = Shelved(shelf, program.layout, f"partition {number}")
        self.index = Index()
        self.residents: Final = Residents()
        #: Rows changed so far, each as often as it was.
        self.changed = 0
        self.room = room
        self._settled = 0
        self._known = 0
        self._born = np.empty(0, np.bool_)
        self._passing: dict[int, str] = {}
        room.enter()

    def __len__(self) -> int:
        return self.index.count - len(self._free)

    @property
    def extent(self) -> int:
        """How many numbers were given; under some nobody is."""
        return self.index.count

    def __contains__(self, user: object) -> bool:
        return isinstance(user, str) and bool(self.find([user])[0] >= 0)

    def find(self, users: Sequence[str]) -> Numbers:
        """Return the numbers (m,) of users, -1 for one that is not known."""
        return self._numbers(users, self.index.look_up)

    def enlist(self, users: Sequence[str]) -> Numbers:
        """Return the numbers (m,) of users, new ones for those that are not known."""
        return self._numbers(users, self._look_up_or_number)

    def _numbers(self, users: Sequence[str], look_up: Callable[[Known], Numbers]) -> Numbers:
        get = self.residents.numbers.get
        numbers = np.array([get(user, -1) for user in users], dtype=np.intp)
        away = np.flatnonzero(numbers < 0).tolist()
        if away:
            distinct = list(dict.fromkeys(users[i] for i in away))
            found = dict(zip(distinct, look_up(Known.of(distinct)).tolist(), strict=True))
            numbers[away] = [found[users[i]] for i in away]
        return numbers

    def _look_up_or_number(self, known: Known) -> Numbers:
        numbers = self.index.look_up(known)
        new = np.flatnonzero(numbers < 0)
        if len(new):
            numbers[new] = self._number(Known(known.hashes[new], known.checks[new]))
        return numbers

    def add(self, users: Sequence[str]) -> Numbers:
        """Make blank rows for `users`, none of which is known, and return their numbers."""
        numbers = self._number(Known.of(users))
        places = self.enter(numbers, users)
        self.rows.scatter(places, self.program.layout.blank(len(users)))
        return numbers

    def _number(self, known: Known) -> Numbers:
        """Number users of whom none was known, and none is there twice."""
        numbers = self.index.load(*known, self._take(len(known.hashes)))
        self.grow(NEVER, born=False)
        return numbers

    def grow(self, due: int, *, born: bool) -> None:
        """Have columns of everybody reach up to the last number."""
        known, n = self._known, self.index.count
        self._due, self._born = grown(self._due, n), grown(self._born, n)
        self._due[known:n], self._born[known:n] = due, born
        self.residents.known(n)
        self._known = n

    def enter(self, numbers: Numbers, users: Sequence[str]) -> NDArray[np.intp]:
        """Have room in memory for the rows of users (m,), and return the places."""
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
            found = self._from_shelf(away)
            self.rows.scatter(self.enter(away, found.users), found.rows)
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

    def forget(self, slots: Numbers) -> None:
        """Have nobody under these numbers. What is on the shelf stays until it is overwritten."""
        places = self.residents.places(slots)
        self.residents.leave(places[places >= 0])
        self.index.forget(slots)
        self._born[slots] = False
        self._vacate(slots)

    def settle(self) -> None:
        """Shelve the rows that are too many, a few at a time; those in memory are committed."""
        residents, share = self.residents, self.room.share
        residents.round += 1
        if residents.count > share:
            came = max(0, residents.count - self._settled)
            most = min(residents.count - share, came + _MORE)
            leaving = residents.oldest(most, share // _SPARE)
            self.store(residents.only_dirty(leaving))
            residents.leave(leaving)
        self._settled = residents.count

    def store(self, places: NDArray[np.intp]) -> None:
        """Write the rows at places to the shelf, in one batch."""
        if len(places):
            residents = self.residents
            block = self.rows.gather(places, self.program.layout.dtype).tobytes()
            self.shelved.write(residents.number(places), residents.names(places), block)
            residents.written(places)

    def decide_anew(self) -> None:
        """Make every row due: its tags were decided under another catalogue or by other models."""
        self._due[: self.index.count] = np.where(self.born(), 0, NEVER)

    def _migrated(self, program: Program) -> Profiles:
        old, new = self.program.layout, program.layout
        rows = Rows(new.size)
        rows.extend(self.rows.count)
        for places in slices(np.arange(self.rows.count)):
            moved = migrate(self.rows.gather(places, old.dtype), old, new)
            rows.scatter(places, moved)
        self.rows = rows
        # A checkpoint of before does not know this era, and need not: what is shelved in it has
        # changed since, so that the changelog brings it again.
        self.shelved.eras.append(new)
        return self

    def _pass(self, numbers: Numbers) -> Read:
        found = self._from_shelf(numbers)
        self._passing = dict(zip(numbers.tolist(), found.users, strict=True))
        return found

    def _from_shelf(self, numbers: Numbers) -> Read:
        return self.shelved.read(numbers, self._born[numbers])


def slices(every: Numbers) -> Iterator[Numbers]:
    """Yield some at a time, which bounds the rows that are in memory for them."""
    for first in range(0, len(every), _SLICE):
        yield every[first : first + _SLICE]
