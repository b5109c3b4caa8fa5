"""One event loop, several partitions: whose round is folded next."""

from __future__ import annotations

import asyncio
from typing import Final

#: An answer from the broker takes about five passes of the event loop to become the next request,
#: and a fetch about twice as many to get to its partitions.
_PASSES: Final = 12


class Turns:
    """Lets one partition fold at a time, after what other partitions' transactions wait for.

    A fold takes milliseconds in which nothing else runs, each step of a transaction microseconds.
    Were folds to begin as they come, every step of a transaction would wait for some of them.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def next(self) -> None:
        """Return when it is this caller's turn; it is over at the caller's next await."""
        async with self._lock:
            for _ in range(_PASSES):
                await asyncio.sleep(0)
