"""How faults strike: processes that end, freeze and come back, and what they lose meanwhile."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.skew import Skew
from support.worker import Worker

from chaos.crew import TRY_AGAIN, Crew, Member
from chaos.feed import Feed
from chaos.ground import Ground
from chaos.schedule import Fault

FLOOD = 400
#: Clocks jump by an hour, some days, some seconds: forwards and back.
JUMPS_S = (3_600, -3_600, 30 * 3_600, -48 * 3_600, 20, -20)
#: How SIGTERM ends a worker: in peace, in haste, or before it listens to signals.
LEFT = (0, TRY_AGAIN, -15, 143)
#: A zombie that others have replaced is gone so long after it woke up.
FENCED_S = 60.0


class Strikes:
    """Faults against a crew, its ground, its input and its clocks; each mends what it has broken.

    `lost` are folders of workers that a kill takes with it, by their names.
    """

    def __init__(
        self, crew: Crew, feed: Feed, ground: Ground, skew: Skew, lost: Mapping[str, Path]
    ) -> None:
        #: Of each zombie: how it ended; None where nobody had taken its place.
        self.zombies: list[int | None] = []
        self._crew = crew
        self._feed = feed
        self._ground = ground
        self._skew = skew
        self._lost = lost

    async def strike(self, fault: Fault) -> None:
        """Let a fault strike, last as long as it says, and end."""
        workers = self._crew.workers
        one = workers[fault.target % len(workers)]
        if fault.kind == "kill":
            await self._killed([one], fault.lasts)
        elif fault.kind == "kill-all":
            await self._killed(workers, fault.lasts)
        elif fault.kind == "restart-all":
            await _replaced(workers, fault.lasts, kill=False)
        elif fault.kind == "kill-trainer":
            await _replaced(self._crew.trainers, fault.lasts, kill=True)
        elif fault.kind == "zombie":
            self.zombies.append(await zombie(one, workers, fault.lasts))
        elif fault.kind == "flood":
            await self._feed.flood(FLOOD)
        elif fault.kind == "clock-jump":
            self._skew.set(JUMPS_S[fault.target % len(JUMPS_S)])
            await asyncio.sleep(fault.lasts)
            self._skew.set(0)
        else:
            await self._ground.strike(fault)
            try:
                await asyncio.sleep(fault.lasts)
            finally:
                await self._ground.mend(fault)

    async def _killed(self, members: Sequence[Member], seconds: float) -> None:
        """Kill and start again; where the run is like that, their folders are gone meanwhile."""
        gone = [self._lost[m.name] for m in members if m.name in self._lost]
        await _replaced(members, seconds, kill=True, gone=gone)


async def end_all(members: Sequence[Member], *, kill: bool) -> None:
    """End all at once, by SIGKILL or SIGTERM; nobody starts them again."""
    for member in members:
        member.held = True
    end = (lambda m: m.process.kill()) if kill else (lambda m: m.process.terminate(20))
    await asyncio.gather(*(asyncio.to_thread(end, member) for member in members))
    for member in members:
        code = member.process.exit_code()
        assert kill or code in LEFT, f"{member.name}: {code}:\n{member.process.tail()}"


async def _replaced(
    members: Sequence[Member], seconds: float, *, kill: bool, gone: Sequence[Path] = ()
) -> None:
    """End all at once, and start them again after so many seconds; without what is `gone`."""
    try:
        await end_all(members, kill=kill)
        for folder in gone:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        await asyncio.sleep(seconds)
    finally:
        for member in members:
            member.start()
            member.held = False


async def zombie(member: Member, workers: Sequence[Member], seconds: float) -> int | None:
    """Freeze a worker beyond its session; return how it ended once it woke up.

    None where nobody had taken its place; 0 where the group, asked first, gave it others.
    """
    await asyncio.gather(*(worker.ready() for worker in workers))
    process, generations = member.process, member.owned()
    others = [other for other in workers if other is not member]
    had = {other: (other.process, other.restored()) for other in others}
    process.freeze()
    try:
        await asyncio.sleep(seconds)
    finally:
        process.thaw()
    lost = generations[-1] & _restored_since(had)
    if not lost:
        return None
    async with asyncio.timeout(FENCED_S):
        while process.alive:
            since = member.owned()[len(generations) :]
            if since and not since[-1] & lost:
                return 0
            await asyncio.sleep(0.05)
    code = process.exit_code()
    assert code == TRY_AGAIN, f"a zombie ended with {code}:\n{process.tail()}"
    return code


def _restored_since(had: Mapping[Member, tuple[Worker, Counter[int]]]) -> set[int]:
    """Partitions that these have restored since they had restored as many as is said of them."""
    found: set[int] = set()
    for member, (process, restored) in had.items():
        known = restored if member.process is process else Counter[int]()
        found |= (member.restored() - known).keys()
    return found
