"""The three trials: is it right, is it right after kills, and how fast is it."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from bench.peers import traffic
from bench.peers.check import Reference, Verdict, judge
from bench.peers.roster import Contender
from bench.peers.stage import PATIENCE_S, Pace, Stage, now, staged
from bench.peers.steady import window
from bench.peers.tree import Tree, cpu_seconds
from stream_app.kafka.embedded import EmbeddedKafka

#: Only to save time: commits where they are waited for, sessions where somebody dies.
BRISK, KILLED = Pace(commit_s=1.0), Pace(session_s=10.0)
#: The broker writes what it was given before the clock starts.
RELIEF_S = 2.0


@dataclass(frozen=True)
class Sizes:
    """How much of everything. `share` scales the backlogs of contenders."""

    users: int = 100
    wave: int = 500
    pool: int = 20_000
    warm: int = 20_000
    share: float = 1.0

    def scaled(self, share: float) -> Sizes:
        """The same with other users, warming up and backlogs for the rates."""
        pool, warm = int(self.pool * share), int(self.warm * share)
        return replace(self, pool=pool, warm=warm, share=self.share * share)


QUICK = Sizes(users=60, wave=200, pool=1_000, warm=1_000, share=0.05)


async def check(
    contender: Contender, kafka: EmbeddedKafka, folder: Path, sizes: Sizes
) -> dict[str, Any]:
    """All waves, one after the other."""
    reference = Reference()
    async with staged(
        contender, kafka.bootstrap_servers, "check", folder, audit=True, pace=BRISK
    ) as stage:
        with stage.start() as tree:
            for phase in traffic.waves(sizes.users, sizes.wave):
                reference.take(phase.records)
                await stage.feed(phase.records)
                await stage.reach(phase, tree)
            return (await _judged(stage, reference)).record()


async def kill(
    contender: Contender, kafka: EmbeddedKafka, folder: Path, sizes: Sizes
) -> dict[str, Any]:
    """Three waves and a last tick; in the middle of the first two, kill -9 and a new start."""
    reference, amid = Reference(), 0
    size = int(contender.wave * min(1.0, 4 * sizes.share))
    phases = list(traffic.waves(sizes.users, size))[:7]
    async with staged(
        contender, kafka.bootstrap_servers, "kill", folder, audit=True, pace=KILLED
    ) as stage:
        tree = stage.start().__enter__()
        try:
            for number, phase in enumerate(phases):
                reference.take(phase.records)
                seen = len(stage.outputs.values)
                await stage.feed(phase.records)
                if number in (1, 3):
                    # Some changes have come out; then some events more, which are not committed.
                    await stage.outputs.grow(seen + 1, PATIENCE_S, tree.check)
                    await asyncio.sleep(0.2)
                    await asyncio.to_thread(tree.kill)
                    amid += not stage.outputs.has(phase.marks)
                    tree.__exit__()
                    tree = stage.start().__enter__()
                await stage.reach(phase, tree)
            verdict = await _judged(stage, reference)
            return verdict.record() | {"kills_amid_a_wave": amid}
        finally:
            tree.__exit__()


async def _judged(stage: Stage, reference: Reference) -> Verdict:
    seen = await stage.seen()
    return judge(reference, seen, features=await stage.features(seen))


@cache
def _backlog(users: int, warm: int, size: int) -> tuple[list[traffic.Phase], Reference]:
    """The same for every round, and what the reference makes of it."""
    phases, reference = list(traffic.backlog(users, warm, size)), Reference()
    for phase in phases:
        reference.take(phase.records)
    # These stay: the collector need not look at them again while others are measured.
    gc.freeze()
    return phases, reference


def alone(times: int = 5, size: int = 10_000) -> float:
    """CPU (µs) of an event in a loop without Kafka, framework or store: decode and do the job.

    The least of some: whatever else runs makes it more.
    """
    warm, load, _ = traffic.backlog(1_000, 1_000, size)
    found = []
    for _ in range(times):
        reference = Reference(audit=False)
        reference.take(warm.records)
        begin = time.process_time()
        reference.take(load.records)
        found.append((time.process_time() - begin) / len(load.records) * 1e6)
    return min(found)


async def rate(
    contender: Contender, kafka: EmbeddedKafka, folder: Path, sizes: Sizes, number: int
) -> dict[str, Any]:
    """Work a backlog off that appears all at once, all users known; then compare the tags."""
    (warm, load, close), reference = _backlog(
        sizes.pool, sizes.warm, int(contender.events * sizes.share)
    )
    servers = kafka.bootstrap_servers
    async with staged(
        contender, servers, f"rate{number}", folder, audit=False, pace=Pace()
    ) as stage:
        with stage.start() as tree:
            begun = now()
            await stage.feed(warm.records)
            to_warm = await stage.reach(warm, tree) - begun
            await stage.outputs.quiet()
            tree.freeze()
            await stage.feed(load.records)
            await asyncio.sleep(RELIEF_S)
            loads, before, begun = os.getloadavg(), _cpu(tree, kafka), now()
            tree.thaw()
            whole = await stage.reach(load, tree) - begun
            spent, brokers = (b - a for a, b in zip(before, _cpu(tree, kafka), strict=True))
            await stage.feed(close.records)
            await stage.reach(close, tree)
            peak = max(tree.peak_bytes, tree.memory_bytes())
        verdict = judge(reference, await stage.seen(), without=traffic.BY_MOMENT)
    events = sum(load.weights.values())
    seen = window(load.weights, stage.outputs.moments, begun)
    return {
        "events_per_second": round(seen.rate, 1),
        "steady": seen.steady,
        "window_events": seen.events,
        "window_seconds": round(seen.seconds, 2),
        "events": events,
        "seconds": round(whole, 2),
        "cpu_us_per_event": round(spent / events * 1e6, 1),
        "broker_us_per_event": round(brokers / events * 1e6, 1),
        "peak_bytes": peak,
        "warm_up_seconds": round(to_warm, 1),
        "load_average": round(loads[0], 2),
        "tags_differ": verdict.tags_differ,
        "repeated": verdict.repeated,
        "missing": verdict.missing,
    }


def _cpu(tree: Tree, kafka: EmbeddedKafka) -> tuple[float, float]:
    """CPU seconds of the contender and of the broker."""
    return tree.cpu_seconds(), cpu_seconds(kafka.pid)
