"""A user's id where people read who need not know it: logs, and messages that end a process."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

_BYTES: Final = 6


def masked(key: bytes) -> str:
    """`#` and 12 hex digits of BLAKE2b, the same for the same user wherever it is told.

    Not anonymous: who has the ids finds theirs. `printf %s USER | b2sum -l 48` is the same.
    """
    return f"#{blake2b(key, digest_size=_BYTES).hexdigest()}"
