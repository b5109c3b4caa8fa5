"""Commands that are killed with -9 at step after step, each time in a process of its own.

`python -m support.dying repartition|backfill STEP…`: for each STEP, begin and die where `say` is
told of it. All are forks of one process, which has imported everything already.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from stream_app.domain.partitioner import PARTITIONERS
from stream_app.engine.catalogue import Limits, load_catalogue
from stream_app.kafka.maintenance.backfill import backfill
from stream_app.kafka.maintenance.repartition import repartition
from stream_app.resolve import resolve

_AT_ONCE = 10


async def die_at(command: str, step: str) -> None:
    """Work until `step`; a number behind it says at which of several."""
    name, _, nth = step.partition(":")
    left = int(nth or 1)

    def say(told: str, what: str) -> None:
        nonlocal left
        left -= told == name
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = resolve()
    if command == "repartition":
        place = PARTITIONERS["murmur2"]
        await repartition(settings, settings.partitions, place, say, at_once=_AT_ONCE)
    else:
        limits = Limits(retention_ms=int(settings.retention_days * 86_400_000))
        program = load_catalogue(settings.catalog).compile(limits)
        await backfill(settings, program, (), say, at_once=_AT_ONCE)


def main(command: str, steps: list[str]) -> None:
    """Fail unless every process was killed where it should be."""
    for step in steps:
        child = os.fork()
        if not child:
            asyncio.run(die_at(command, step))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            sys.exit(f"{step}: was not reached ({status})")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
