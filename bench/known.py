"""Parts measured with workers that know every user: restoring, rates, latency, two, beyond memory.

The last two have lanes of their own: what decides the tags of a user is what he did before, so that
the same events on another's lane would change fewer of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any, Final

from bench import events, latency
from bench.lanes import Lane
from bench.load import fill
from bench.rates import work_off
from bench.seed import seed
from bench.stage import Stage, now_ms
from bench.worker import Worker, reach, share

PARTS: Final = frozenset(("worker_warm", "latency", "restore"))
#: Rows that go to the local store take longer to restore, on a busy machine minutes.
_READY_S: Final = 600.0


async def measure(stage: Stage, number: int) -> None:
    """Write a changelog of all users, and measure the parts that were chosen."""
    async with stage.lane(f"known{number}") as lane:
        with stage.timed("filling"):
            updates = await seed(lane, stage.sizes.users, now_ms() - events.HOUR_MS)
        async with Worker(lane, stage.log("known")) as worker:
            with stage.timed("restore"):
                to_ready = await worker.ready()
            if "restore" in stage.parts:
                stage.add("restore", _restored(worker, to_ready, updates))
            if "worker_warm" in stage.parts:
                with stage.timed("worker_warm"):
                    stage.add("worker_warm", await _rate(stage, number, [worker], lane, "warm"))
            if "latency" in stage.parts:
                with stage.timed("latency"):
                    await _latency(stage, number, worker, lane)


async def two(stage: Stage, number: int) -> None:
    """The users and events of `worker_warm`, by two workers that share the partitions."""
    with stage.timed("two_workers"):
        async with stage.lane(f"two{number}") as lane:
            await seed(lane, stage.sizes.users, now_ms() - events.HOUR_MS, updates=1)
            async with (
                Worker(lane, stage.log("first")) as first,
                Worker(lane, stage.log("second")) as second,
            ):
                workers = first, second
                await share(workers)
                stage.add("two_workers", await _rate(stage, number, workers, lane, "two"))


async def cold(stage: Stage, number: int) -> None:
    """The users and events of `worker_warm`, by a worker that has a part of them in memory.

    Its changelog has one update a user: restoring is not what is measured, and takes longer here.
    """
    with stage.timed("worker_cold"):
        async with stage.lane(f"cold{number}") as lane:
            await seed(lane, stage.sizes.users, now_ms() - events.HOUR_MS, updates=1)
            stage.add("worker_cold", await _cold(stage, number, lane))


async def _rate(
    stage: Stage, number: int, workers: Sequence[Worker], lane: Lane, prefix: str
) -> dict[str, Any]:
    """Warm up, then work off: the same users and events whatever the prefix of their ids."""
    sizes = stage.sizes
    warming = stage.events(sizes.warm_up, 100 + number, prefix=f"{prefix}-up")
    already = sum([(await worker.sample()).events for worker in workers])
    await reach(workers, already + await fill(lane, warming))
    backlog = stage.events(sizes.warm, 200 + number, prefix=prefix)
    found = await work_off(workers, lane, backlog)
    return found | {"resident_bytes": sum(worker.resident_bytes() for worker in workers)}


async def _latency(stage: Stage, number: int, worker: Worker, lane: Lane) -> None:
    await worker.settle()
    rng = stage.rng(300 + number)
    for load in stage.sizes.loads:
        found = await latency.measure(
            lane, load.rate, load.seconds, stage.sizes.users, rng, skip_s=load.skip
        )
        stage.add(f"latency {load.rate}", found)


async def _cold(stage: Stage, number: int, lane: Lane) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=stage.folder) as store:
        env = {
            "STREAM_APP_MAX_RESIDENT_USERS": str(stage.sizes.resident),
            "STREAM_APP_STATE_DIR": store,
        }
        async with Worker(lane, stage.log("cold"), env) as worker:
            to_ready = await worker.ready(_READY_S)
            begun = (await worker.sample()).cold_reads
            found = await _rate(stage, number, [worker], lane, "cold")
            reads = (await worker.sample()).cold_reads - begun
    return found | {
        "resident_users": stage.sizes.resident,
        "cold_reads_per_event": round(reads / (stage.sizes.warm_up + stage.sizes.warm), 3),
        "start_to_ready_seconds": round(to_ready, 1),
    }


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
