"""A long run of chaos: `make chaos`, `SEED=7 MINUTES=3 make chaos`, `BROKERS=three make chaos`,
`ALONE=1 make chaos`.

What a seed does not say: brokers are one or three by whether it is even, workers one to three.
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
from pathlib import Path

from chaos.ground import GROUNDS
from chaos.schedule import CLOCK, PROGRAM, draw, shown
from chaos.stage import mttr, staged, traffic_of
from stream_app.kafka.topics import TopicPlan

RATE = 600.0
#: Set: every fault waits until all is back from the one before.
ALONE, PAUSE_S = "ALONE", 2.0


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
        faults = draw(seed, minutes * 60, (*PROGRAM, *CLOCK, *ground.kinds))
        print(f"{where} broker(s), {workers} workers, clock: {'wall' if live else 'event'}")
        print(shown(seed, faults), flush=True)
        traffic = traffic_of(seed, RATE if live else 0.0)
        clock = {"clock": "wall"} if live else {}
        plan = plan_of(f"c{uuid.uuid4().hex[:8]}")
        async with staged(ground, plan, folder, traffic, rate=RATE, learning=True, **clock) as on:
            for _ in range(workers):
                on.worker()
            on.trainer()
            async with on.watched():
                await on.ready()
                on.feed.start()
                if ALONE in os.environ:
                    # One after the other, so that each figure is that of one fault.
                    for fault in faults:
                        await on.play([fault._replace(at=PAUSE_S)])
                else:
                    await on.play(faults)
                await on.settle()
                await on.ready()
            await on.crew.end()
            code, said = await on.verdict()
    print(said, end="")
    print(mttr(on.struck))
    print(f"zombies ended with: {on.zombies}")
    came = "BROKEN" if code else "nothing lost, nothing doubled"
    print(f"seed {seed}: {came}")
    return code


def main() -> int:
    seed = int(os.environ.get("SEED") or random.randrange(1_000_000))
    minutes = float(os.environ.get("MINUTES") or 3)
    where = os.environ.get("BROKERS") or ("one", "three")[seed % 2]
    # Those who watch meet every fault too; what they say of it is no finding.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    folder = tempfile.mkdtemp(prefix="chaos-")
    code = asyncio.run(run(seed, minutes, where, Path(folder)))
    if code:
        print(f"what the processes said is in {folder}")
    else:
        shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
