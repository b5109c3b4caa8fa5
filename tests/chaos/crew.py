"""The processes of a run, and who starts them again: workers and a trainer under supervision."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.worker import Worker

WORKER = (sys.executable, "-m", "stream_app", "worker", "--no-restart")
TRAINER = (sys.executable, "-m", "stream_app", "trainer", "--no-restart")
#: What a supervisor starts again: a failure that a new start can mend, and a kill from outside.
TRY_AGAIN = 75
KILLED = (-9, 137)
_LOOK_S = 0.1


class Member:
    """One place for a process, which is started anew whenever it ends by itself with 75."""

    def __init__(
        self, name: str, folder: Path, command: Sequence[str], env: Mapping[str, str]
    ) -> None:
        self.name = name
        self.endings: list[int] = []
        #: Nobody starts it again: a fault holds it down, or the run is over.
        self.held = False
        self._folder = folder
        self._command = command
        self._env = dict(env)
        self._started = 0
        self.start()

    def tell(self, env: Mapping[str, str]) -> None:
        """Add to the environment of whatever is started from now on."""
        self._env |= env

    def start(self, env: Mapping[str, str] | None = None) -> None:
        """Start it; `env` adds to its environment from now on."""
        self.tell(env or {})
        self._started += 1
        log = self._folder / f"{self.name}-{self._started}.log"
        self.process = Worker(log, self._env, self._command)

    def look(self) -> None:
        """Start it again if it has ended; AssertionError for an end that no start can mend."""
        if self.held or self.process.alive:
            return
        code = self.process.exit_code()
        self.endings.append(code)
        assert code == TRY_AGAIN, f"{self.name} ended with {code}:\n{self.process.tail()}"
        self.start()

    async def ready(self, seconds: float = 90.0) -> None:
        """Return when it says so; TimeoutError otherwise. It may be started again meanwhile."""
        async with asyncio.timeout(seconds):
            while (await asyncio.to_thread(self.process.get, "/readyz"))[0] != 200:
                await asyncio.sleep(_LOOK_S)

    def restored(self) -> Counter[int]:
        """How often this process has restored each partition since it was started."""
        return Counter(map(int, re.findall(r"Partition (\d+): .* restored", self.process.text())))

    def owned(self) -> list[set[int]]:
        """The partitions that it was given, generation by generation."""
        found = re.findall(
            r"Generation \d+: partitions (?:\[([\d, ]+)\]|none)", self.process.text()
        )
        return [{int(n) for n in given.split(",")} if given else set() for given in found]


class Crew:
    """Workers and a trainer. While it is watched, whoever ends with 75 is started again."""

    def __init__(self) -> None:
        self.workers: list[Member] = []
        self.trainers: list[Member] = []

    @property
    def members(self) -> list[Member]:
        return [*self.workers, *self.trainers]

    async def watch(self) -> None:
        """Supervise until cancelled."""
        while True:
            for member in self.members:
                member.look()
            await asyncio.sleep(_LOOK_S)

    async def end(self) -> None:
        """SIGTERM for all at once; AssertionError where one does not leave in peace."""
        await self.leave()
        codes = [member.process.exit_code() for member in self.members]
        for member, code in zip(self.members, codes, strict=True):
            assert code == 0, f"{member.name} ended with {code}:\n{member.process.tail()}"

    async def leave(self) -> None:
        """SIGTERM for all at once, however they end."""
        for member in self.members:
            member.held = True
        await asyncio.gather(
            *(asyncio.to_thread(member.process.terminate, 20) for member in self.members)
        )

    def kill(self) -> None:
        """SIGKILL for whatever is left."""
        for member in self.members:
            member.held = True
            member.process.kill()
