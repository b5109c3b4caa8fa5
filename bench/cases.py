"""What is measured, in which order, and at which size."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench import events, latency, others
from bench.lanes import Lane
from bench.load import fill
from bench.rates import work_off
from bench.seed import seed
from bench.worker import Worker

PARTS: Final = (
    "worker",
    "worker_warm",
    "worker_warm_learning",
    "stock_faust",
    "consume",
    "new_users",
    "latency",
    "restore",
    "memory",
)
RATES: Final = (1_000, 10_000)
_ON_ZIPF: Final = frozenset(("worker", "stock_faust", "consume"))
_ON_PROFILES: Final = frozenset(("worker_warm", "latency", "restore"))
_ON_MODELS: Final = frozenset(("worker_warm_learning",))
_ON_NEW: Final = frozenset(("new_users", "memory"))


@dataclass(frozen=True)
class Sizes:
    """How much of everything; `flat` are events of known users while memory is watched."""

    users: int = events.USERS
    zipf: int = 700_000
    warm_up: int = 200_000
    warm: int = 700_000
    stock_s: float = 20.0
    latency_s: float = 40.0
    latency_skip_s: float = 20.0
    flat: int = 3_000_000


QUICK: Final = Sizes(
    users=50_000,
    zipf=60_000,
    warm_up=20_000,
    warm=60_000,
    stock_s=5.0,
    latency_s=6.0,
    latency_skip_s=2.0,
    flat=100_000,
)


@dataclass
class Bench:
    """Runs rounds against a broker; `found` has each part's figures, a list entry a round.

    Workers run the catalogue `rules_only`, the retail one without its learning, where not told
    otherwise: figures of before learning stay comparable.
    """

    servers: str
    rules_only: str
    logs: Path
    sizes: Sizes
    parts: Collection[str]
    say: Callable[[str], None]
    found: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    async def round(self, number: int, *, last: bool) -> None:
        """Measure every part once, so that the sides alternate from round to round."""
        if _ON_ZIPF & set(self.parts):
            await self._zipf(number)
        if _ON_PROFILES & set(self.parts):
            await self._profiles(number)
        if _ON_MODELS & set(self.parts):
            await self._with_models(number)
        if _ON_NEW & set(self.parts):
            await self._new_users(number, watch_memory=last and "memory" in self.parts)

    async def _zipf(self, number: int) -> None:
        """The same events for a worker that knows nobody, for stock Faust and for a consumer."""
        total, backlog = self.sizes.zipf, self._zipf_events(self.sizes.zipf, number)
        async with self._lane(f"zipf{number}") as lane:
            if "worker" in self.parts:
                async with Worker(lane, self._log("worker")) as worker:
                    await worker.ready()
                    self._add("worker", await work_off(worker, lane, backlog))
            else:
                await fill(lane, backlog)
            if "consume" in self.parts:
                self._add("consume", await others.consume(lane, self._log("consume"), total))
            if "stock_faust" in self.parts:
                log, seconds = self._log("stock_faust"), self.sizes.stock_s
                self._add("stock_faust", await others.stock_faust(lane, log, total, seconds))

    async def _profiles(self, number: int) -> None:
        """A worker that knows every user: restoring, then the rate, then latency."""
        sizes = self.sizes
        async with self._lane(f"known{number}") as lane:
            updates = await seed(lane, sizes.users, _now_ms() - events.HOUR_MS)
            async with Worker(lane, self._log("known")) as worker:
                to_ready = await worker.ready()
                if "restore" in self.parts:
                    self._add("restore", _restored(worker, to_ready, updates))
                if "worker_warm" in self.parts:
                    warming = self._zipf_events(sizes.warm_up, 100 + number)
                    await worker.reach(await fill(lane, warming))
                    backlog = self._zipf_events(sizes.warm, 200 + number)
                    self._add("worker_warm", await work_off(worker, lane, backlog))
                if "latency" in self.parts:
                    await worker.settle()
                    await self._latency(lane, self._rng(300 + number))

    async def _with_models(self, number: int) -> None:
        """The same as `worker_warm`, with models that score and decide; the same users too."""
        sizes = self.sizes
        async with self._lane(f"models{number}", learning=True) as lane:
            await seed(lane, sizes.users, _now_ms() - events.HOUR_MS)
            async with Worker(lane, self._log("models")) as worker:
                await worker.ready()
                await worker.settle()
                warming = self._zipf_events(sizes.warm_up, 100 + number)
                await worker.reach(await fill(lane, warming))
                backlog = self._zipf_events(sizes.warm, 200 + number)
                self._add("worker_warm_learning", await work_off(worker, lane, backlog))

    async def _latency(self, lane: Lane, rng: np.random.Generator) -> None:
        sizes = self.sizes
        for rate in RATES:
            found = await latency.measure(
                lane, rate, sizes.latency_s, sizes.users, rng, skip_s=sizes.latency_skip_s
            )
            self._add(f"latency {rate}", found)

    async def _new_users(self, number: int, *, watch_memory: bool) -> None:
        """Each event from a user who was never seen; then, once, millions of events of them."""
        total, rng = self.sizes.users, self._rng(400 + number)
        async with (
            self._lane(f"new{number}") as lane,
            Worker(lane, self._log("new_users")) as worker,
        ):
            await worker.ready()
            empty = worker.resident_bytes()
            arrived = events.arrivals(total, _now_ms())
            backlog = events.chunks(rng.permutation(total), arrived, "new", rng)
            found = await work_off(worker, lane, backlog)
            if "new_users" in self.parts:
                self._add("new_users", found)
            if "memory" in self.parts:
                self._add("memory", await _bytes_per_profile(worker, empty))
            if watch_memory:
                self.found["flat"] = [await self._flat(worker, lane)]

    async def _flat(self, worker: Worker, lane: Lane) -> dict[str, Any]:
        """Resident memory after every slice of events of known users."""
        total, resident = self.sizes.flat, [worker.resident_bytes()]
        already = (await worker.sample()).events
        each = min(1_000_000, total // 3)
        for done in range(each, total + 1, each):
            await fill(lane, self._zipf_events(each, 500 + done // each))
            await worker.reach(already + done)
            resident.append(worker.resident_bytes())
            self.say(f"  flat: {done:,} events, {resident[-1] / 1e6:,.0f} MB")
        return {"events": total, "every": each, "resident_bytes": resident}

    def _zipf_events(self, total: int, stream: int) -> Iterator[events.Events]:
        """Events of the hour up to now; the same `stream` draws the same users and events."""
        rng = self._rng(stream)
        users = events.zipf(total, self.sizes.users, rng)
        return events.chunks(users, events.arrivals(total, _now_ms()), f"z{stream}", rng)

    @asynccontextmanager
    async def _lane(self, name: str, *, learning: bool = False) -> AsyncIterator[Lane]:
        catalog = "retail" if learning else self.rules_only
        lane = Lane(self.servers, name, catalog, learning)
        await lane.create()
        try:
            yield lane
        finally:
            await lane.delete()

    def _rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([events.SEED, stream])

    def _log(self, name: str) -> Path:
        return self.logs / f"{next(self._numbers):02d}-{name}.log"

    def _add(self, name: str, figures: dict[str, Any]) -> None:
        self.found[name].append(figures)
        shown = ", ".join(f"{key} {value}" for key, value in figures.items())
        self.say(f"  {name}: {shown}")


def _restored(worker: Worker, to_ready: float, updates: int) -> dict[str, Any]:
    profiles, seconds = worker.restored()
    return {
        "profiles": profiles,
        "seconds": seconds,
        "start_to_ready_seconds": round(to_ready, 1),
        "start_to_ready_cpu_seconds": round(worker.cpu_seconds(), 1),
        "updates": updates,
        "resident_bytes": worker.resident_bytes(),
    }


async def _bytes_per_profile(worker: Worker, empty: int) -> dict[str, Any]:
    users, resident = (await worker.sample()).users, worker.resident_bytes()
    return {
        "profiles": users,
        "bytes_per_profile": round((resident - empty) / users),
        "resident_bytes": resident,
        "resident_bytes_when_empty": empty,
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
