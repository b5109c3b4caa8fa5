"""A long run of chaos: `SEED=7 MINUTES=3 python -m chaos` from `tests/`, or `make chaos`."""

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

from chaos.ground import OneBroker
from chaos.schedule import PROGRAM, draw, shown
from chaos.stage import mttr, staged, traffic_of
from stream_app.kafka.embedded import EmbeddedKafka
from stream_app.kafka.topics import TopicPlan

RATE = 600.0


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


async def run(seed: int, minutes: float, folder: Path) -> int:
    """Play the schedule of `seed`, print what came of it; 1 where something was lost or doubled."""
    workers = 1 + seed % 3
    with EmbeddedKafka(folder / "kafka", port=0, heap="512m") as broker:
        ground = OneBroker(broker)
        faults = draw(seed, minutes * 60, (*PROGRAM, *ground.kinds))
        print(shown(seed, faults), flush=True)
        plan = plan_of(f"c{uuid.uuid4().hex[:8]}")
        traffic = traffic_of(seed)
        async with staged(ground, plan, folder, traffic, rate=RATE, learning=True) as stage:
            for _ in range(workers):
                stage.worker()
            stage.trainer()
            async with stage.watched():
                await stage.ready()
                stage.feed.start()
                await stage.play(faults)
                await stage.settle()
                await stage.ready()
            await stage.crew.end()
            code, said = await stage.verdict()
    print(said, end="")
    print(mttr(stage.struck))
    print(f"zombies ended with: {stage.zombies}")
    came = "BROKEN" if code else "nothing lost, nothing doubled"
    print(f"seed {seed}, {workers} workers: {came}")
    return code


def main() -> int:
    seed = int(os.environ.get("SEED") or random.randrange(1_000_000))
    minutes = float(os.environ.get("MINUTES") or 3)
    # Those who watch meet every fault too; what they say of it is no finding.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    folder = tempfile.mkdtemp(prefix="chaos-")
    code = asyncio.run(run(seed, minutes, Path(folder)))
    if code:
        print(f"what the processes said is in {folder}")
    else:
        shutil.rmtree(folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
