"""A growing array of fixed-size rows whose memory is taken only as rows are written."""

from __future__ import annotations

import mmap
from typing import Final

import numpy as np
from numpy.typing import NDArray

_FIRST_CAPACITY: Final = 4_096
_GROWTH: Final = 2


def _mapping(size: int) -> mmap.mmap:
    # Private: a shared mapping is backed by a file of its first size, beyond which is no memory.
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


class Rows:
    """Rows of `size` bytes in one anonymous mapping, gathered and scattered by index.

    The mapping doubles by remapping pages, so growing neither copies rows nor holds them twice, and
    pages beyond the last row cost no memory.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.count = 0
        self._map = _mapping(_FIRST_CAPACITY * size)
        self._bytes = self._view()

    def _view(self) -> NDArray[np.uint8]:
        return np.frombuffer(self._map, dtype=np.uint8).reshape(-1, self.size)

    def extend(self, n: int) -> int:
        """Add n zeroed rows and return the index of the first of them."""
        first = self.count
        capacity = len(self._bytes)
        if first + n > capacity:
            while first + n > capacity:
                capacity *= _GROWTH
            self._resize(capacity)
        self.count = first + n
        return first

    def _resize(self, capacity: int) -> None:
        # A mapping cannot be resized while an array looks at it.
        del self._bytes
        try:
            self._map.resize(capacity * self.size)
        except (BufferError, SystemError, OSError, ValueError):
            # Somebody is reading at this moment, or the system cannot remap (macOS): copy once.
            old = self._map
            self._map = _mapping(capacity * self.size)
            self._map[: len(old)] = old[:]
        self._bytes = self._view()

    def gather(self, slots: NDArray[np.intp], dtype: np.dtype[np.void]) -> NDArray[np.void]:
        """Return a contiguous copy of the rows at `slots` (m,), as a structured array."""
        return np.take(self._bytes, slots, axis=0).reshape(-1).view(dtype)

    def scatter(self, slots: NDArray[np.intp], rows: NDArray[np.void]) -> None:
        """Write `rows` (m,) back to `slots` (m,); of a repeated slot the last row stays."""
        self._bytes[slots] = rows.view(np.uint8).reshape(-1, self.size)

    def column(self, name: str, dtype: np.dtype[np.void]) -> NDArray[np.generic]:
        """Return a strided view of one field of every row; hold it no longer than one call."""
        return self._bytes[: self.count].reshape(-1).view(dtype)[name]
