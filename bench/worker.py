"""The worker under measurement, seen through its own HTTP port."""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp

from bench.lanes import PARTITIONS, Lane
from bench.processes import MeasureError, Process
from stream_app.kafka.embedded.probe import free_port

#: Between two looks at a worker's counters, near the end of what is waited for and far from it.
POLL_S = 0.1
RARELY_S = 1.0
STALL_S = 90.0
#: Changes a second that a quiet worker may make.
QUIET_CHANGES = 100
#: In the order of a sample's fields.
_COUNTERS = (
    "events_total",
    "tag_changes_total",
    "transactions_total",
    "users",
    "rebalances_total",
    "cold_reads_total",
)
#: A partition's series, which ends when the partition goes.
_OWNED = b"\nstream_app_partition_time_seconds{"
_RESTORED = re.compile(r"(\d+) profiles restored in ([\d.]+) s")


@dataclass(frozen=True)
class Sample:
    """What the worker had committed and used at one moment (`at`: seconds, monotonic)."""

    at: float
    cpu: float
    events: int
    changes: int
    transactions: int
    users: int
    rebalances: int
    cold_reads: int
    partitions: int


class Worker(Process):
    """`python -m stream_app worker` on a lane, with the lane's catalogue and default settings but
    those named in `env`.
    """

    def __init__(self, lane: Lane, log: Path, env: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        env = lane.environment() | {"STREAM_APP_HTTP_PORT": str(self.port)} | dict(env or {})
        super().__init__(["-m", "stream_app", "worker", "--no-restart"], log, env)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        self.__enter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        try:
            await self._session.close()
        finally:
            await asyncio.to_thread(self.stop)

    async def ready(self, seconds: float = 120.0) -> float:
        """Wait for /readyz; returns the seconds since the process was started."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            status, _ = await self._get("/readyz")
            if status == 200:
                return time.monotonic() - self.started
            await asyncio.sleep(0.05)
        raise MeasureError(f"the worker was not ready in {seconds:.0f} s\n{self.tail()}")

    def restored(self) -> tuple[int, float]:
        """Profiles restored, and the seconds that the slowest partition took, by its own log.

        All partitions begin at once, when they are assigned.
        """
        lines = _RESTORED.findall(self.log.read_text(errors="replace"))
        if len(lines) != PARTITIONS:
            raise MeasureError(f"{len(lines)} partitions say that they restored\n{self.tail()}")
        return sum(int(count) for count, _ in lines), max(float(took) for _, took in lines)

    async def sample(self) -> Sample:
        """Read its counters, and its CPU time right after."""
        status, body = await self._get("/metrics")
        if status != 200:
            self.check()
            raise MeasureError(f"/metrics answered {status}\n{self.tail()}")
        at, cpu, sums = time.monotonic(), self.cpu_seconds(), _sums(body)
        counted = (int(sums[f"stream_app_{name}"]) for name in _COUNTERS)
        return Sample(at, cpu, *counted, partitions=body.count(_OWNED))

    async def reach(self, events: int) -> Sample:
        """The first sample with at least so many committed events; bounded by a stall."""
        return (await reach([self], events))[0]

    async def settle(self, seconds: float = 60.0) -> None:
        """Wait until what was due at the start is decided: five seconds with hardly a change."""
        deadline, before, quiet = time.monotonic() + seconds, await self.sample(), 0
        while quiet < 5 and time.monotonic() < deadline:
            await asyncio.sleep(1.0)
            now = await self.sample()
            quiet = quiet + 1 if now.changes - before.changes <= QUIET_CHANGES else 0
            before = now

    def check(self) -> None:
        if not self.alive:
            raise MeasureError(f"the worker ended\n{self.tail()}")

    async def _get(self, path: str) -> tuple[int, bytes]:
        try:
            async with self._session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return 0, b""


async def reach(workers: Sequence[Worker], events: int) -> list[Sample]:
    """The first samples, one a worker, with at least so many events that all of them together have
    committed. Raises MeasureError when nothing moves for `STALL_S`.
    """
    last, moved = -1, time.monotonic()
    while True:
        samples = [await worker.sample() for worker in workers]
        total = sum(sample.events for sample in samples)
        if total >= events:
            return samples
        if total > last:
            last, moved = total, samples[-1].at
        if samples[-1].at - moved > STALL_S:
            raise MeasureError(f"stuck at {last} of {events} events\n{workers[0].tail()}")
        for worker in workers:
            worker.check()
        # An answer takes the worker some milliseconds, which are not to be measured: rarely at
        # first, and more often towards the end, which is to be met closely.
        await asyncio.sleep(max(POLL_S, RARELY_S * (events - total) / events))


async def share(workers: Sequence[Worker], seconds: float = 90.0) -> None:
    """Wait until each of a group's workers has as many partitions as any other, restored.

    Raises MeasureError when they do not share them so in time.
    """
    deadline, fair = time.monotonic() + seconds, PARTITIONS // len(workers)
    while time.monotonic() < deadline:
        for worker in workers:
            await worker.ready()
        owned = [(await worker.sample()).partitions for worker in workers]
        if owned == [fair] * len(workers):
            return
        await asyncio.sleep(0.5)
    raise MeasureError(f"the workers have {owned} partitions, not {fair} each\n{workers[0].tail()}")


def _sums(exposition: bytes) -> defaultdict[str, float]:
    """Each metric's sum over its series."""
    sums: defaultdict[str, float] = defaultdict(float)
    for line in exposition.decode().splitlines():
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            sums[series.partition("{")[0]] += float(value)
    return sums
