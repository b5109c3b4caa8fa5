"""The partitions that a worker stands by for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

import faust
from faust.types import TP

from stream_app.engine.catalogue import Program
from stream_app.kafka.recovery.copies import Copy
from stream_app.kafka.recovery.standby import Standby
from stream_app.metrics import Metrics

log = logging.getLogger(__name__)

_TICK_S: Final = 1.0


class Standbys:
    """Standbys by partition number; each is made by `new`. With `replicas` 0 there is none.

    `rejoin` has the group place its partitions anew.
    """

    def __init__(
        self,
        replicas: int,
        new: Callable[[int], Standby],
        metrics: Metrics,
        rejoin: Callable[[], None],
    ) -> None:
        self._replicas = replicas
        self._new = new
        self._metrics = metrics
        self._rejoin = rejoin
        self._following: dict[int, Standby] = {}
        self._awaited: frozenset[int] = frozenset()
        self._ending: set[asyncio.Task[None]] = set()
        self._ticking: asyncio.Task[None] | None = None

    @property
    def ready(self) -> frozenset[int] | None:
        """The partitions whose copies nobody has to wait for; None where no copies are kept."""
        if not self._replicas:
            return None
        return frozenset(n for n, standby in self._following.items() if standby.ready)

    def follow(
        self, numbers: Collection[int], awaited: Collection[int], owned: Collection[int]
    ) -> None:
        """Stand by for `numbers` from now on, of which `awaited` are to be owned when ready.

        Copies of what is `owned` stay until they are taken; all others are let go of.
        """
        self._awaited = frozenset(awaited)
        for number in set(self._following) - set(numbers) - set(owned):
            self._end(number)
        if self._replicas:
            self._ticking = self._ticking or asyncio.create_task(self._tick(), name="standbys")
            for number in sorted(set(numbers) - self._following.keys()):
                self._following[number] = self._new(number)
            log.info("Standing by for partitions %s", sorted(numbers) or "none")

    def take(self, number: int, program: Program) -> Copy | None:
        """Return the copy of a partition that is owned now, None where there is none of use."""
        standby = self._following.pop(number, None)
        if standby is None:
            return None
        self._metrics.end("standby_lag", partition=str(number))
        copy = standby.take()
        if copy is not None and copy.program is not program:
            copy.close()
            return None
        return copy

    def tick(self) -> None:
        """Once a second: tell how far the copies are, and the group when all awaited are ready."""
        self._metrics.set("standby_partitions", len(self._following))
        for number, standby in self._following.items():
            if standby.lag is not None:
                self._metrics.set("standby_lag", standby.lag, partition=str(number))
        if self._awaited and self._awaited <= (self.ready or frozenset()):
            log.info("Ready for partitions %s: the group is told", sorted(self._awaited))
            # Once: the group answers with another assignment.
            self._awaited = frozenset()
            self._rejoin()

    async def stop(self) -> None:
        """End all of them: the worker stops."""
        self._replicas = 0
        if self._ticking is not None:
            self._ticking.cancel()
        for number in list(self._following):
            self._end(number)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            self.tick()

    def _end(self, number: int) -> None:
        self._metrics.end("standby_lag", partition=str(number))
        ending = asyncio.create_task(self._following.pop(number).stop())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


def connect(app: Any, changelog: str, standbys: Standbys) -> None:
    """Have `standbys` follow what the group assigns to this worker."""

    async def assigned(app: faust.App, assigned: Iterable[TP], **kwargs: Any) -> None:
        owned = {tp.partition for tp in assigned if tp.topic == changelog}
        standbys.follow(app.assignor.standing_by, app.assignor.awaited, owned)

    app.on_partitions_assigned.connect(assigned, weak=False)
