"""Which users' rows are in memory, where, and which of them have not been used for longest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream_app.engine.cold.growing import grown

Numbers = NDArray[np.intp]
Places = NDArray[np.intp]

_NOWHERE = -1


class Residents:
    """Places 0, 1, 2... of rows in memory, each with its user, or free.

    `dirty` tells by place whether the row has changed since it was written to the local store.
    """

    def __init__(self) -> None:
        self.count = 0
        self.capacity = 0
        self.round = 0
        #: Numbers of the users in memory, whom the dictionary finds faster than the index.
        self.numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._place = np.empty(0, np.int32)
        self._known = 0
        self._number = np.empty(0, np.intp)
        self._used = np.empty(0, np.int64)
        self._dirty = np.empty(0, np.bool_)
        self._free: list[int] = []
        #: Places that are to be freed next, the longest unused first, and the round that chose.
        self._chosen: Places = np.empty(0, np.intp)
        self._chosen_in = 0

    def known(self, n: int) -> None:
        """Make room for users up to number `n`, who are nowhere at first."""
        self._place = grown(self._place, n)
        self._place[self._known : n] = _NOWHERE
        self._known = n

    def places(self, numbers: Numbers) -> Places:
        """Where the rows of users (m,) are, -1 for those that are not in memory."""
        return self._place[numbers].astype(np.intp)

    def names(self, places: Places) -> list[str]:
        """The users at places (m,)."""
        names = self._names
        return [names[place] for place in places.tolist()]

    def number(self, places: Places) -> Numbers:
        """The numbers of the users at places (m,)."""
        return self._number[places]

    def enter(self, numbers: Numbers, users: Sequence[str]) -> Places:
        """Give a place to each of users (m,) who have none, clean and not used yet."""
        m = len(numbers)
        reused = self._free[len(self._free) - min(m, len(self._free)) :]
        del self._free[len(self._free) - len(reused) :]
        fresh = range(self.capacity, self.capacity + m - len(reused))
        places = np.array([*reused, *fresh], dtype=np.intp)
        self.capacity += len(fresh)
        self._number = grown(self._number, self.capacity)
        self._used = grown(self._used, self.capacity)
        self._dirty = grown(self._dirty, self.capacity)
        self._names.extend([""] * len(fresh))
        for place, user in zip(places.tolist(), users, strict=True):
            self._names[place] = user
        self.numbers.update(zip(users, numbers.tolist(), strict=True))
        self._number[places], self._place[numbers] = numbers, places
        self._used[places], self._dirty[places] = -1, False
        self.count += m
        return places

    def leave(self, places: Places) -> None:
        """Free places, whose rows are in the store or of no use any more."""
        self._place[self._number[places]] = _NOWHERE
        self._number[places] = _NOWHERE
        self._dirty[places] = False
        for place in places.tolist():
            del self.numbers[self._names[place]]
            self._names[place] = ""
        self._free.extend(places.tolist())
        self.count -= len(places)

    def use(self, places: Places) -> None:
        """Events came for the rows at these places."""
        self._used[places] = self.round

    def change(self, places: Places) -> None:
        """The rows at these places are not what the store has."""
        self._dirty[places] = True

    def written(self, places: Places) -> None:
        """The store has the rows at these places."""
        self._dirty[places] = False

    def dirty(self) -> Places:
        """The places of rows that the store does not have."""
        found: Places = self._dirty[: self.capacity].nonzero()[0]
        return found

    def only_dirty(self, places: Places) -> Places:
        """Those of `places` whose rows the store does not have."""
        return places[self._dirty[places]]

    def oldest(self, n: int, spare: int) -> Places:
        """`n` places in use, of all or fewer, whose last event is furthest back.

        To find them looks at all, so `spare` more are chosen, from which later calls take.
        """
        chosen = self._chosen
        unused = (self._number[chosen] != _NOWHERE) & (self._used[chosen] < self._chosen_in)
        chosen = chosen[unused]
        if len(chosen) < n:
            chosen, self._chosen_in = self._choose(n + spare), self.round
        self._chosen = chosen[n:]
        return chosen[:n]

    def _choose(self, n: int) -> Places:
        taken: Places = (self._number[: self.capacity] != _NOWHERE).nonzero()[0]
        if n < len(taken):
            taken = taken[np.argpartition(self._used[taken], n)[:n]]
        return taken[np.argsort(self._used[taken])]
