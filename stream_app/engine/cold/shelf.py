"""What cold rows need of a local store, and the names of what lies there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

_KEY_BYTES: Final = 9
_ROW: Final = b"r"
#: One key for each page of what is known of all users.
DUE_PAGE: Final = b"d%d"
NAME_PAGE: Final = b"i%d"
HEADER: Final = b"header"


class ShelfError(Exception):
    """The local store cannot be used, or does not hold what it was given."""


class Shelf(Protocol):
    """An ordered log of atomic batches of (key, value), of which the last value of a key counts.

    What is left after a crash is the state after one of the batches: those before it are all there,
    and nothing of those after it. What was written before a `flush` is, once that is done; without
    `wait` that is soon. Raises ShelfError for whatever goes wrong, if need be at the next call.
    """

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]: ...
    def write(self, pairs: Sequence[tuple[bytes, bytes]]) -> None: ...
    def flush(self, *, wait: bool = True) -> None: ...
    def close(self) -> None: ...


def row_keys(numbers: NDArray[np.intp]) -> list[bytes]:
    """The keys of users' rows by their numbers (m,): neighbours in number lie together."""
    text = numbers.astype(">u8").tobytes()
    return [_ROW + text[at : at + _KEY_BYTES - 1] for at in range(0, len(text), _KEY_BYTES - 1)]
