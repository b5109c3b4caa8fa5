"""A long run of chaos: `make chaos`, or in this folder's parent `python -m chaos`. Variables:

SEED      what is drawn; the same seed is the same schedule, traits, traffic and number of workers
MINUTES   how long, at least; every kind of fault strikes once even so (3)
BROKERS   one or three; else by whether the seed is even
FAULTS    only these kinds, separated by commas
ALONE=1   each fault waits until all is back from the one before, so that figures are of one fault
FORGET=1  idle users are forgotten, whatever the seed says
KEEP=1    leave what the processes have logged
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import shutil
import sys
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

from chaos.ground import GROUNDS
from chaos.schedule import CLOCK, PLAIN, PROGRAM, Fault, Kind, draw, only, shown, traits
from chaos.shop import PAST, traffic_of
from chaos.stage import Stage, staged
from chaos.struck import mttr
from stream_app.kafka.topics import TopicPlan

RATE = 600.0
#: Before each fault, where they strike alone.
PAUSE_S = 2.0


def plan_of(app_id: str) -> TopicPlan:
    """Topics of a run of its own."""
    return TopicPlan(
        app_id=app_id,
        clicks=f"{app_id}-clicks",
        purchases=f"{app_id}-purchases",
        tags=f"{app_id}-tags",
        tag_state=f"{app_id}-tag-state",
        dead_letters=f"{app_id}-dead-letters",
    )


async def run(seed: int, minutes: float, where: str, folder: Path) -> int:
    """Play the schedule of `seed`, print what came of it; 1 where something was lost or doubled."""
    workers, live = 1 + seed % 3, seed % 4 == 3
    async with GROUNDS[where](folder / "kafka") as ground:
        kinds: Sequence[Kind] = (*PROGRAM, *CLOCK, *ground.kinds)
        kinds = only(kinds, *os.environ["FAULTS"].split(",")) if "FAULTS" in os.environ else kinds
        drawn = PLAIN if "ALONE" in os.environ else traits(seed)
        drawn = drawn._replace(forgetting=drawn.forgetting or "FORGET" in os.environ)
        print(f"{where} broker(s), {workers} workers, clock: {'wall' if live else 'event'}")
        print(drawn, flush=True)
        halves = [draw(seed, minutes * 60, kinds)]
        if drawn.to:
            # Every kind strikes before and after.
            halves = [draw(f"{seed} {half}", minutes * 30, kinds) for half in ("before", "after")]
        traffic = traffic_of(seed, RATE if live else 0.0, forgetting=drawn.forgetting)
        clock = {"clock": "wall"} if live else {}
        plan = plan_of(f"c{uuid.uuid4().hex[:8]}")
        async with staged(
            ground, plan, folder, traffic, rate=RATE, learning=True, traits=drawn, **clock
        ) as on:
            if live and drawn.forgetting:
                await on.feed.send(PAST)
            for _ in range(workers):
                on.worker()
            on.trainer()
            async with on.watched():
                for half, faults in enumerate(halves):
                    if half:
                        await on.repartition()
                    print(shown(seed, faults), flush=True)
                    await play(on, faults)
                await on.settle()
                await on.ready()
                if drawn.forgetting:
                    await on.rest()
            await on.crew.end()
            code, said = await on.verdict()
            missed = on.missed()
    print(said, end="")
    print(mttr(on.struck))
    print(f"zombies ended with: {on.strikes.zombies}")
    print(*missed, sep="\n", end="\n" * bool(missed))
    code = code or int(bool(missed))
    came = "BROKEN" if code else "nothing lost, nothing doubled"
    print(f"seed {seed}: {came}")
    return code


async def play(on: Stage, faults: Sequence[Fault]) -> None:
    """Let all of them strike while events come."""
    await on.ready()
    on.feed.start()
    if "ALONE" not in os.environ:
        await on.play(faults)
        return
    for fault in faults:
        await on.play([fault._replace(at=PAUSE_S)])


def main() -> int:
    seed = int(os.environ.get("SEED") or random.randrange(1_000_000))
    minutes = float(os.environ.get("MINUTES") or 3)
    where = os.environ.get("BROKERS") or ("one", "three")[seed % 2]
    # Those who watch meet every fault too; what they say of it is no finding.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    folder = tempfile.mkdtemp(prefix="chaos-")
    code = asyncio.run(run(seed, minutes, where, Path(folder)))
    if code or "KEEP" in os.environ:
        print(f"what the processes said is in {folder}")
    else:
        shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
