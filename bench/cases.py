"""What a round measures, and in which order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from bench import cost, events, known, others
from bench.lanes import Lane
from bench.load import fill
from bench.rates import work_off
from bench.seed import seed
from bench.stage import Stage, now_ms
from bench.worker import Worker


async def measure_round(stage: Stage, number: int) -> None:
    """Measure every part once; every second round goes the other way round.

    So the sides of a ratio alternate, and neither always has the broker that has run for longer.
    """
    sections = [section for parts, section in _SECTIONS if parts & set(stage.parts)]
    for section in sections if number % 2 == 0 else reversed(sections):
        await section(stage, number)


async def _zipf(stage: Stage, number: int) -> None:
    """The same events for a worker that knows nobody, for stock Faust and for a consumer."""
    total, backlog = stage.sizes.zipf, stage.events(stage.sizes.zipf, number)
    async with stage.lane(f"zipf{number}") as lane:
        with stage.timed("worker"):
            if "worker" in stage.parts:
                async with Worker(lane, stage.log("worker")) as worker:
                    await worker.ready()
                    stage.add("worker", await work_off([worker], lane, backlog))
            else:
                await fill(lane, backlog)
        if "consume" in stage.parts:
            with stage.timed("consume"):
                stage.add("consume", await others.consume(lane, stage.log("consume"), total))
        if "stock_faust" in stage.parts:
            with stage.timed("stock_faust"):
                log, seconds = stage.log("stock_faust"), stage.sizes.stock_s
                stage.add("stock_faust", await others.stock_faust(lane, log, total, seconds))


async def _with_models(stage: Stage, number: int) -> None:
    """The same as `worker_warm`, with models that score and decide; the same users too."""
    sizes = stage.sizes
    with stage.timed("worker_warm_learning"):
        async with stage.lane(f"models{number}", learning=True) as lane:
            await seed(lane, sizes.users, now_ms() - events.HOUR_MS, updates=1)
            async with Worker(lane, stage.log("models")) as worker:
                await worker.ready()
                await worker.settle()
                await worker.reach(await fill(lane, stage.events(sizes.warm_up, 100 + number)))
                backlog = stage.events(sizes.warm, 200 + number)
                stage.add("worker_warm_learning", await work_off([worker], lane, backlog))


async def _new_users(stage: Stage, number: int) -> None:
    """Each event from a user who was never seen; then, once, millions of events of them."""
    total, rng = stage.sizes.users, stage.rng(400 + number)
    async with (
        stage.lane(f"new{number}") as lane,
        Worker(lane, stage.log("new_users")) as worker,
    ):
        with stage.timed("new_users"):
            await worker.ready()
            empty = worker.resident_bytes()
            arrived = events.arrivals(total, now_ms())
            backlog = events.chunks(rng.permutation(total), arrived, "new", rng)
            found = await work_off([worker], lane, backlog)
        if "new_users" in stage.parts:
            stage.add("new_users", found)
        if "memory" in stage.parts:
            stage.add("memory", await _bytes_per_profile(worker, empty))
            if number == stage.rounds - 1:
                with stage.timed("memory"):
                    stage.found["flat"] = [await _flat(stage, worker, lane)]


async def _flat(stage: Stage, worker: Worker, lane: Lane) -> dict[str, Any]:
    """Resident memory after every slice of events of known users."""
    total, resident = stage.sizes.flat, [worker.resident_bytes()]
    already = (await worker.sample()).events
    each = min(1_000_000, total // 3)
    for done in range(each, total + 1, each):
        await fill(lane, stage.events(each, 500 + done // each))
        await worker.reach(already + done)
        resident.append(worker.resident_bytes())
        stage.say(f"  flat: {done:,} events, {resident[-1] / 1e6:,.0f} MB")
    return {"events": total, "every": each, "resident_bytes": resident}


async def _bytes_per_profile(worker: Worker, empty: int) -> dict[str, Any]:
    users, resident = (await worker.sample()).users, worker.resident_bytes()
    return {
        "profiles": users,
        "bytes_per_profile": round((resident - empty) / users),
        "resident_bytes": resident,
        "resident_bytes_when_empty": empty,
    }


_SECTIONS: Final[tuple[tuple[frozenset[str], Callable[[Stage, int], Awaitable[None]]], ...]] = (
    (frozenset(("worker", "stock_faust", "consume")), _zipf),
    (known.PARTS, known.measure),
    (frozenset(("two_workers",)), known.two),
    (frozenset(("worker_cold",)), known.cold),
    (frozenset(("worker_warm_learning",)), _with_models),
    (frozenset(("cost",)), cost.few),
    (frozenset(("cost_5m",)), cost.many),
    (frozenset(("new_users", "memory")), _new_users),
)
