"""The rows of a partition that lie in its local store, by their users' numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import Layout
from stream_app.engine.cold.codec import RAW, Read, decode, encode, encode_raw, split
from stream_app.engine.cold.shelf import HEADER, Shelf, ShelfError, row_keys

Numbers = NDArray[np.intp]


class Shelved:
    """Rows on `shelf`, read and written together."""

    def __init__(self, shelf: Shelf, layout: Layout, name: str) -> None:
        """`layout` is that of rows to be written; `name` tells in errors whose they are."""
        self.shelf: Final = shelf
        self._name = name
        #: The layouts that rows may have, that of today last.
        self.eras: list[Layout] = [layout]
        #: The layouts that the changelog describes: fingerprint in hex, and description.
        self.descriptions: dict[bytes, bytes] = {}
        self._read = self._written = 0

    def read(self, numbers: Numbers, known: NDArray[np.bool_]) -> Read:
        """The users and rows of `numbers` (m,), blank where nobody is `known` (m,) by them."""
        self._read += len(numbers)
        values = self._values(numbers, known)
        try:
            return decode(values, self.eras)
        except Exception as error:
            raise self._distrusted(f"holds what is no row: {error}") from error

    def write(self, numbers: Numbers, users: Sequence[str], block: bytes) -> None:
        """Write the rows (m,) of users in one batch; `block` has them one after the other."""
        values = encode(users, block, self.eras[-1].size, len(self.eras) - 1)
        self.shelf.write(list(zip(row_keys(numbers), values, strict=True)))
        self._written += len(numbers)

    def write_raw(self, numbers: Numbers, rows: Mapping[str, bytes]) -> None:
        """Write rows, by user, of layouts that are not described yet."""
        raw = [encode_raw(user, row) for user, row in rows.items()]
        self.shelf.write(list(zip(row_keys(numbers), raw, strict=True)))

    def raw(self, numbers: Numbers) -> list[tuple[str, bytes]]:
        """The users and rows that were written raw, of users (m,) who are all known."""
        found = [split(value) for value in self._values(numbers, np.ones(len(numbers), np.bool_))]
        return [(user, row) for era, user, row in found if era == RAW]

    def take_traffic(self) -> tuple[int, int]:
        """How many rows were read and written since the last call."""
        found, self._read, self._written = (self._read, self._written), 0, 0
        return found

    def _values(self, numbers: Numbers, known: NDArray[np.bool_]) -> list[bytes]:
        found = iter(self.shelf.read(row_keys(numbers[known])))
        # Under the number of a forgotten user lies what was his.
        values = [next(found) if there else self._blank() for there in known.tolist()]
        whole = [value for value in values if value is not None]
        if len(whole) < len(values):
            lacking = len(values) - len(whole)
            raise self._distrusted(f"lacks {lacking} of {len(values)} rows")
        return whole

    def _blank(self) -> bytes:
        layout = self.eras[-1]
        return encode([""], layout.blank().tobytes(), layout.size, len(self.eras) - 1)[0]

    def _distrusted(self, why: str) -> ShelfError:
        """Have the next start begin anew, and return what ends this one."""
        self.shelf.write([(HEADER, b"")])
        self.shelf.flush()
        return ShelfError(
            f"the local store of {self._name} {why}. It is a copy of the changelog, and the next "
            "start makes it anew"
        )
