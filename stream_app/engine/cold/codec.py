"""A user and his row as one value of the local store.

Rows are packed one by one, to a fifth: what RocksDB merges again and again is a fifth as much, as
is what its cache holds, and a read unpacks one row instead of a block of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from struct import Struct
from typing import Any, Final, NamedTuple

import numpy as np
from cramjam import lz4
from numpy.typing import NDArray

from stream_app.domain.layout import Layout
from stream_app.features import migrate

#: Number of the era that the row was written in, and bytes of the user that follow.
_HEAD: Final = Struct("<HH")
#: The era of a row of a layout that is not described yet.
RAW: Final = 0xFFFF


class Read(NamedTuple):
    """Users (m,) and their rows (m,)."""

    users: list[str]
    rows: NDArray[np.void]


def encode(users: Sequence[str], block: bytes, size: int, era: int) -> list[bytes]:
    """The values of users (m,) with their rows, of `size` bytes each, written in that era."""
    compress, view = lz4.compress_block, memoryview(block)
    starts = range(0, len(block), size)
    packed = (compress(view[at : at + size], store_size=False) for at in starts)
    return [_value(user, row, era) for user, row in zip(users, packed, strict=True)]


def encode_raw(user: str, row: bytes) -> bytes:
    """The value of a user with a row of a layout that is not described yet."""
    return _value(user, row, RAW)


def _value(user: str, row: Any, era: int) -> bytes:
    name = user.encode()
    return b"".join((_HEAD.pack(era, len(name)), name, row))


def split(value: bytes) -> tuple[int, str, bytes]:
    """The era, the user and the row of a value."""
    era, length = _HEAD.unpack_from(value)
    start = _HEAD.size + length
    return era, value[_HEAD.size : start].decode(), value[start:]


def decode(values: Sequence[bytes], eras: Sequence[Layout]) -> Read:
    """The users and rows of values, under the last of `eras`: the layouts one after the other.

    A row of an older era goes through all that came after it, as it would have in memory.
    """
    last, blank, sizes = len(eras) - 1, bytes(eras[-1].size), [era.size for era in eras]
    written, users, packed = zip(*map(split, values), strict=True) if values else ((), (), ())
    unpack = lz4.decompress_block
    blocks = [unpack(row, output_len=sizes[era]) for era, row in zip(written, packed, strict=True)]
    now = (block if era == last else blank for era, block in zip(written, blocks, strict=True))
    rows = np.frombuffer(bytearray().join(now), dtype=eras[-1].dtype)
    for era in set(written) - {last}:
        at = [i for i, other in enumerate(written) if other == era]
        older = np.frombuffer(b"".join(blocks[i] for i in at), dtype=eras[era].dtype)
        for old, new in pairwise(eras[era:]):
            older = migrate(older, old, new)
        rows[at] = older
    return Read(list(users), rows)
