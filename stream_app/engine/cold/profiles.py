"""Profiles of a partition that has more users than memory has room for: loaded, read and let go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stream_app.engine.cold.keeper import Keeper, Mark
from stream_app.engine.cold.room import Room
from stream_app.engine.cold.rows import ColdRows, Numbers, slices
from stream_app.engine.cold.shelf import Shelf
from stream_app.engine.profiles import NEVER
from stream_app.engine.reading import Plain

if TYPE_CHECKING:
    from stream_app.engine.catalogue import Program


class ColdProfiles(ColdRows):
    """Profiles whose rows are where `ColdRows` has them; a `keeper` takes checkpoints of them."""

    def __init__(
        self, program: Program, number: int, partitions: int, shelf: Shelf, room: Room
    ) -> None:
        super().__init__(program, number, partitions, shelf, room)
        self.keeper: Keeper | None = None

    def known(self) -> Iterator[str]:
        """Yield every user."""
        for numbers in slices(np.flatnonzero(self.born())):
            self._pass(numbers[self.residents.places(numbers) < 0])
            yield from self.names(numbers)

    def read(self, user: str, at: int | None = None) -> dict[str, Plain]:
        """Return a user's feature values at `at` (ms), by default at partition time."""
        number = self.find([user])
        if number[0] < 0:
            raise KeyError(user)
        return next(self._read(number, self.time if at is None else at))

    def read_all(self, at: int) -> Iterator[tuple[str, dict[str, Plain]]]:
        """Yield every user with his feature values at `at` (ms)."""
        for numbers in slices(np.flatnonzero(self.born())):
            values = self._read(numbers, at)
            rows = list(values)
            yield from zip(self.names(numbers), rows, strict=True)

    def put(self, users: Sequence[str], rows: NDArray[np.void]) -> None:
        """Write whole rows of users, known or not; of a repeated user the last row stays."""
        self.residents.round += 1
        numbers = self.enlist(users)
        away = np.flatnonzero(self.residents.places(numbers) < 0).tolist()
        if away:
            names = dict(zip(numbers[away].tolist(), (users[i] for i in away), strict=True))
            self.enter(np.array(list(names), dtype=np.intp), list(names.values()))
        self.residents.use(self.residents.places(numbers))
        self.scatter(numbers, rows)
        self.settle()

    def put_raw(self, rows: Mapping[str, bytes]) -> Numbers:
        """Shelve rows, by user, of layouts that are not described yet; see `described`."""
        numbers = self.enlist(list(rows))
        self._due[numbers], self._born[numbers] = 0, True
        places = self.residents.places(numbers)
        self.residents.leave(places[places >= 0])
        self.shelved.write_raw(numbers, rows)
        return numbers

    def described(self, numbers: Numbers) -> Iterator[tuple[list[str], list[bytes]]]:
        """Yield the users and rows put raw under `numbers` that nothing has superseded."""
        numbers = np.unique(numbers)
        for some in slices(numbers[self._born[numbers]]):
            away = some[self.residents.places(some) < 0]
            left = self.shelved.raw(away)
            if left:
                yield [user for user, _ in left], [row for _, row in left]

    def load(
        self,
        hashes: NDArray[np.generic],
        checks: NDArray[np.generic],
        due: NDArray[np.generic],
        born: NDArray[np.generic],
    ) -> None:
        """Number users (m,) whose rows are on the shelf already."""
        numbers = self.index.load(hashes, checks)  # type: ignore[arg-type]
        self.grow(NEVER, born=False)
        self._due[numbers], self._born[numbers] = due, born
        # Whoever is numbered between rounds has had an event.
        self._free = np.concatenate((self._free, numbers[~self._born[numbers]]))

    @property
    def resident(self) -> int:
        """How many rows are in memory."""
        return self.residents.count

    def take_traffic(self) -> tuple[int, int]:
        """How many rows came from the shelf and went there since the last call."""
        return self.shelved.take_traffic()

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
        self.shelved.shelf.close()
