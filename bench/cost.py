"""What an event costs a worker that knows ever more users; a million of them is `worker_warm`."""

from __future__ import annotations

from typing import Any, Final

from bench import events
from bench.lanes import Lane
from bench.load import fill
from bench.rates import work_off
from bench.seed import seed
from bench.stage import Stage, now_ms
from bench.worker import Worker

#: Restoring millions of profiles takes its time.
_READY_S: Final = 600.0


async def few(stage: Stage, number: int) -> None:
    """Fewer users than `worker_warm` has; in the first round alone: CPU an event hardly varies."""
    if number > 0:
        return
    for users in stage.sizes.few:
        await _measure(stage, "cost", number, users)


async def many(stage: Stage, number: int) -> None:
    """More users than that, and the fewest beside them: a ratio needs both from one run."""
    for users in (stage.sizes.few[0], stage.sizes.many):
        await _measure(stage, "cost_5m", number, users)


async def _measure(stage: Stage, part: str, number: int, users: int) -> None:
    with stage.timed(part):
        async with stage.lane(f"{part}{number}-{users}") as lane:
            await seed(lane, users, now_ms() - events.HOUR_MS, updates=1)
            async with Worker(lane, stage.log(f"{part}-{users}")) as worker:
                await worker.ready(_READY_S)
                stage.add(f"{part} {users}", await _rate(stage, number, users, worker, lane))


async def _rate(
    stage: Stage, number: int, users: int, worker: Worker, lane: Lane
) -> dict[str, Any]:
    """As `worker_warm`, by Zipf's law over these users."""
    sizes = stage.sizes
    await worker.reach(await fill(lane, stage.events(sizes.warm_up, 600 + number, users=users)))
    backlog = stage.events(sizes.warm, 700 + number, users=users)
    found = await work_off([worker], lane, backlog)
    return found | {"resident_bytes": worker.resident_bytes()}
