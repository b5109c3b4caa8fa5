"""From user to number in 96 bits a user instead of a string: an open-addressing table in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from stream_app.engine.cold.growing import grown
from stream_app.learning.sampling import Hashes, hashes

Checks = NDArray[np.uint32]
Numbers = NDArray[np.intp]

_FIRST: Final = 1_024
_FREE: Final = -1


class Known(NamedTuple):
    """What users (m,) are known by: blake2b's 64 bits and crc32."""

    hashes: Hashes
    checks: Checks

    @classmethod
    def of(cls, users: Sequence[str]) -> Known:
        """Work it out, which takes longer than all else that is done to find them."""
        return cls(hashes(users), _checks(users))


class Index:
    """Numbers of users in order of their first appearance.

    A user is known by blake2b's 64 bits and by crc32: among 5 million users two that agree in both
    have a chance of 2 in 10^16, less than that of memory that lies.
    """

    def __init__(self) -> None:
        self.count = 0
        #: Rises whenever a number that was given is taken away or given again.
        self.edition = 0
        #: Entries of the table, those of users who were forgotten included.
        self._entries = 0
        self._hashes: Hashes = np.empty(0, np.uint64)
        self._checks: Checks = np.empty(0, np.uint32)
        self._table = np.full(_FIRST, _FREE, np.int32)

    @property
    def hashes(self) -> Hashes:
        """blake2b's 64 bits of every user, by number."""
        return self._hashes[: self.count]

    @property
    def checks(self) -> Checks:
        """crc32 of every user, by number."""
        return self._checks[: self.count]

    def reserve(self, n: int) -> None:
        """Have room for `n` users, who come a part at a time."""
        self._resize(n)

    def find(self, users: Sequence[str]) -> Numbers:
        """Return the numbers (m,) of users, -1 for one that is not known."""
        return self.look_up(Known.of(users))

    def look_up(self, known: Known) -> Numbers:
        """Return the numbers (m,) of users by what they are known by, -1 for one that is not."""
        wanted, checks = known
        found = np.full(len(wanted), -1, np.intp)
        searched = np.arange(len(wanted))
        mask = np.uint64(len(self._table) - 1)
        at = (wanted & mask).astype(np.intp)
        while len(searched):
            number = self._table[at[searched]]
            taken = number != _FREE
            searched, number = searched[taken], number[taken]
            same = self._hashes[number] == wanted[searched]
            same &= self._checks[number] == checks[searched]
            found[searched[same]] = number[same]
            searched = searched[~same]
            at[searched] = (at[searched] + 1) & int(mask)
        return found

    def add(self, users: Sequence[str], numbers: Numbers | None = None) -> Numbers:
        """Number `users`, none of which is known and none twice.

        They get the next numbers, or `numbers`: forgotten ones, and behind them the next.
        """
        return self.load(*Known.of(users), numbers)

    def load(self, more: Hashes, checks: Checks, numbers: Numbers | None = None) -> Numbers:
        """Number users by what they are known by."""
        first = self.count
        if numbers is None:
            numbers = np.arange(first, first + len(more), dtype=np.intp)
        new = int(np.count_nonzero(numbers >= first))
        self.count += new
        self.edition += new < len(numbers)
        self._hashes = grown(self._hashes, self.count)
        self._checks = grown(self._checks, self.count)
        self._hashes[numbers], self._checks[numbers] = more, checks
        self._entries += len(numbers)
        if 3 * self._entries > 2 * len(self._table):
            self._rebuild()
        else:
            self._enter(numbers)
        return numbers

    def forget(self, numbers: Numbers) -> None:
        """Have nobody found under these numbers any more, until they are given again."""
        # Its place in the table stays taken, so that what lies behind it is still found.
        self.edition += 1
        self._checks[numbers] ^= np.uint32(0xFFFFFFFF)

    def _rebuild(self) -> None:
        """Drop entries that lead to somebody else by now, and make room."""
        self._resize(self.count)

    def _resize(self, n: int) -> None:
        size = len(self._table)
        while 2 * n > size:
            size *= 2
        self._table = np.full(size, _FREE, np.int32)
        self._entries = self.count
        self._enter(np.arange(self.count, dtype=np.intp))

    def _enter(self, numbers: Numbers) -> None:
        mask = len(self._table) - 1
        at = (self._hashes[numbers] & np.uint64(mask)).astype(np.intp)
        while len(numbers):
            free = self._table[at] == _FREE
            # Of several that want the same place the last gets it, and the others go on.
            self._table[at[free]] = numbers[free]
            left = self._table[at] != numbers
            numbers, at = numbers[left], (at[left] + 1) & mask


def _checks(users: Sequence[str]) -> Checks:
    return np.array([crc32(user.encode()) for user in users], dtype=np.uint32)
