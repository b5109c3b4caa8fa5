"""Following one partition that another worker owns, to have a copy when that one dies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from stream_app.engine.catalogue import Program
from stream_app.kafka.partition.turns import Turns
from stream_app.kafka.recovery.copies import Copy
from stream_app.kafka.recovery.reader import Pair, Reader

log = logging.getLogger(__name__)

#: Records put in at a time: about as long as a small fold, in which nothing else runs.
_AT_ONCE: Final = 1_000
#: After each time, so many times as long is left to others: of a processor it takes a quarter.
_REST: Final = 3.0
#: At the end it rests so long at least (s): records that come one by one are put in together.
_PAUSE_S: Final = 0.1
#: A copy this near to the end is ready: to read on from it takes a few hundredths of a second.
_NEAR: Final = 10_000
#: One that does not come near for so long (s) counts as ready: partitions that more workers were
#: started for must not stay where they are, and where too much is written it never would.
_PATIENCE_S: Final = 900.0
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 300.0


class Standby:
    """A copy of partition `number` that follows its changelog; made inside a running loop.

    What goes wrong is logged, the copy dropped and begun anew after a while, longer each time. It
    is begun anew too under another catalogue: rows come in the layout of its owner's, and what is
    new in them would be lost in one of before.
    """

    def __init__(
        self,
        number: int,
        program: Callable[[], Program],
        new_copy: Callable[[Program], Awaitable[Copy]],
        new_reader: Callable[[], Reader],
        turns: Turns,
    ) -> None:
        self.number: Final = number
        #: Whether there is nothing to wait for: it is near the end, or does not come there.
        self.ready = False
        #: Records that it lacks, as far as is known.
        self.lag: int | None = None
        self._copy: Copy | None = None
        self._over = False
        self._wait_s = _FIRST_WAIT_S
        self._program, self._new_copy, self._new_reader = program, new_copy, new_reader
        self._turns = turns
        self._life = asyncio.create_task(self._live(), name=f"standby-{number}")

    def take(self) -> Copy | None:
        """End it, and return the copy: what it has is all of what lies before its offset."""
        copy, self._copy = self._copy, None
        self._over = True
        self._life.cancel()
        return copy

    async def stop(self) -> None:
        """End it, and let go of the copy."""
        copy = self.take()
        if copy is not None:
            copy.close()
        await asyncio.gather(self._life, return_exceptions=True)

    async def _live(self) -> None:
        while not self._over:
            try:
                await self._follow()
                self.ready = False
                continue
            except Exception as error:
                log.warning(
                    "Partition %d: its standby copy begins anew in %.0f s: %r",
                    self.number, self._wait_s, error, extra={"partition": self.number},
                )  # fmt: skip
            # Whoever waits for it would wait for ever: to restore says what is wrong.
            self.ready = True
            await asyncio.sleep(self._wait_s)
            self._wait_s = min(_LONGEST_WAIT_S, 2 * self._wait_s)

    async def _follow(self) -> None:
        """Follow as long as the copy is this one's, and of the catalogue in use."""
        copy = await self._new_copy(self._program())
        if self._over:
            copy.close()
            return
        self._copy, self.lag = copy, None
        patient_until = asyncio.get_running_loop().time() + _PATIENCE_S
        reader = self._new_reader()
        try:
            await reader.start()
            await copy.begin(reader)
            while self._copy is copy and copy.program is self._program():
                pairs = await reader.take(_AT_ONCE)
                await self._put(copy, pairs, reader)
                self.ready |= asyncio.get_running_loop().time() > patient_until
        finally:
            if self._copy is copy:
                self._copy = None
                copy.close()
            await reader.stop()

    async def _put(self, copy: Copy, pairs: list[Pair], reader: Reader) -> None:
        position, stable, loop = await reader.position(), reader.stable, asyncio.get_running_loop()
        took = 0.0
        if pairs or position != copy.offset:
            await self._turns.next()
            if self._copy is not copy:
                return
            began = loop.time()
            # Without an await in it: whoever takes the copy finds all of it or nothing.
            copy.add(pairs, position, reader.last)
            took = loop.time() - began
        if stable is not None:
            self.lag = max(0, stable - position)
            if self.lag <= _NEAR:
                self.ready, self._wait_s = True, _FIRST_WAIT_S
        await asyncio.sleep(max(took * _REST, 0 if self.lag else _PAUSE_S))
