"""Which partition a producer's client library puts a key on."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return the unsigned 32-bit hash of Kafka's Java client (MurmurHash2, seed 0x9747b28c)."""
    length = len(data)
    h = (0x9747B28C ^ length) & _MASK
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if whole != length:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


def _java(key: bytes, partitions: int) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def _librdkafka(key: bytes, partitions: int) -> int:
    return zlib.crc32(key) % partitions


#: `murmur2`: Java client, aiokafka, kafka-python; `crc32`: librdkafka's default for keyed records.
PARTITIONERS: Final[dict[str, Callable[[bytes, int], int]]] = {
    "murmur2": _java,
    "crc32": _librdkafka,
}
