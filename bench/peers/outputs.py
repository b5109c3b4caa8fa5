"""What a contender publishes, as a consumer with `read_committed` gets it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Collection
from typing import Self

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from bench.lanes import PARTITIONS
from bench.processes import MeasureError

_MARK = re.compile(rb"mark-\d{7}")
#: Nothing more comes after a mark but what was behind it in other partitions' batches.
QUIET_S = 1.5


class Outputs:
    """Collects the values of a topic while the block runs."""

    def __init__(self, servers: str, topic: str) -> None:
        self.values: list[bytes] = []
        #: When each mark came out (monotonic).
        self.moments: dict[str, float] = {}
        self._parts = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.assign(self._parts)
        await self._consumer.seek_to_beginning()
        self._task = asyncio.create_task(self._collect())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._consumer.stop()

    async def _collect(self) -> None:
        while True:
            found = await self._consumer.getmany(timeout_ms=100)
            at = time.monotonic()
            for records in found.values():
                for record in records:
                    self.values.append(record.value)
                    if match := _MARK.search(record.value):
                        self.moments.setdefault(match[0].decode(), at)

    async def reach(
        self, marks: Collection[str], seconds: float, check: Callable[[], None]
    ) -> float:
        """Wait until all marks have come out; return the moment (monotonic) of the last one."""
        deadline = time.monotonic() + seconds
        while missing := [mark for mark in marks if mark not in self.moments]:
            if self._task.done():
                self._task.result()
            check()
            if time.monotonic() > deadline:
                raise MeasureError(
                    f"{len(missing)} of {len(marks)} marks missing in {seconds:.0f} s"
                )
            await asyncio.sleep(0.02)
        return max(self.moments[mark] for mark in marks)

    def has(self, marks: Collection[str]) -> bool:
        """Have all marks come out?"""
        return all(mark in self.moments for mark in marks)

    async def grow(self, count: int, seconds: float, check: Callable[[], None]) -> None:
        """Wait until at least `count` values have come out."""
        deadline = time.monotonic() + seconds
        while len(self.values) < count:
            check()
            if time.monotonic() > deadline:
                raise MeasureError(f"{len(self.values)} of {count} values in {seconds:.0f} s")
            await asyncio.sleep(0.02)

    async def quiet(self) -> None:
        """Wait until nothing has come for a while."""
        before = -1
        while before < len(self.values):
            before = len(self.values)
            await asyncio.sleep(QUIET_S)
