"""Partitions of many users at once, as the Java client chooses them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_M: Final = np.uint32(0x5BD1E995)
_SEED: Final = 0x9747B28C


def partitions_of(keys: Sequence[bytes], partitions: int) -> NDArray[np.int64]:
    """The murmur2 partition of each key; all keys have one length, a multiple of 4."""
    if not keys:
        return np.zeros(0, np.int64)
    length = len(keys[0])
    words = np.frombuffer(b"".join(keys), "<u4").reshape(-1, length // 4)
    if len(words) != len(keys):
        raise ValueError("keys must have equal lengths, a multiple of 4")
    h = np.full(len(keys), _SEED ^ length, np.uint32)
    for column in words.T:
        k = column * _M
        k = (k ^ (k >> np.uint32(24))) * _M
        h = (h * _M) ^ k
    h = (h ^ (h >> np.uint32(13))) * _M
    h ^= h >> np.uint32(15)
    return ((h & np.uint32(0x7FFFFFFF)) % np.uint32(partitions)).astype(np.int64)
