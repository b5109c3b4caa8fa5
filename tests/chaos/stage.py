"""An application on its own topics, fed and watched, with faults that strike it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from support.broker import environment
from support.skew import Skew
from support.traffic import Traffic
from support.upkeep import run

from chaos import checker
from chaos.crew import TRAINER, WORKER, Crew, Member
from chaos.feed import Feed
from chaos.ground import Ground
from chaos.progress import Progress
from chaos.schedule import CLOCK, PLAIN, PROGRAM, Fault, Traits
from chaos.shop import IDLE_DAYS, catalogue_of, settings_of
from chaos.strikes import Strikes, end_all
from chaos.struck import Struck
from stream_app.kafka.topics import TopicPlan, ensure_topics

#: Everything that was sent before a fault is folded so long after it at the latest.
BACK_S = 120.0
#: An application that is at rest commits nothing for so long.
QUIET_S = 3.0
#: Of all users on all partitions, a worker keeps so many in memory where most are on disk.
RESIDENT = 24
#: The command that adds partitions may find workers in the group until their session is over.
REPARTITION_S = 90.0
MISSED = "had been read and not folded"
CHECKER = (sys.executable, checker.__file__)


class Stage:
    """`play` lets faults strike; `settle` and `verdict` say what has come of it."""

    def __init__(
        self,
        ground: Ground,
        plan: TopicPlan,
        folder: Path,
        env: Mapping[str, str],
        feed: Feed,
        progress: Progress,
        traits: Traits = PLAIN,
    ) -> None:
        self.servers = ground.near
        self.plan = plan
        self.folder = folder
        self.feed = feed
        self.progress = progress
        self.crew = Crew()
        self.struck: list[Struck] = []
        self.traits = traits
        self._env = dict(env)
        self._lanes: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._lane_of = {kind.name: kind.lane for kind in (*PROGRAM, *CLOCK, *ground.kinds)}
        self._skew = Skew(folder / "skew")
        #: The folders that go with a worker that is killed.
        self._lost: dict[str, Path] = {}
        self.strikes = Strikes(self.crew, feed, ground, self._skew, self._lost)

    def worker(self, command: Sequence[str] = WORKER, **env: str) -> Member:
        """Start one more; `env` adds to its environment."""
        name = f"worker-{len(self.crew.workers) + 1}"
        env = {**self._env, **self._skew.environment, **self._traits_of(name), **env}
        member = Member(name, self.folder, command, env)
        self.crew.workers.append(member)
        return member

    def _traits_of(self, name: str) -> dict[str, str]:
        """Settings of a worker by what the run is like."""
        found = {"STREAM_APP_STANDBY_REPLICAS": str(self.traits.standbys)}
        if self.traits.cold:
            state = self.folder / "state" / name
            found["STREAM_APP_MAX_RESIDENT_USERS"] = str(RESIDENT)
            found["STREAM_APP_STATE_DIR"] = str(state)
            if self.traits.cold == "lost":
                self._lost[name] = state
        return found

    def trainer(self) -> None:
        """Start one more."""
        name = f"trainer-{len(self.crew.trainers) + 1}"
        self.crew.trainers.append(Member(name, self.folder, TRAINER, self._env))

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Inside, whatever ends with 75 is started again; any other end fails what runs inside."""
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self.crew.watch())
            yield
            watching.cancel()

    async def ready(self) -> None:
        """Return when all processes are."""
        await asyncio.gather(*(member.ready() for member in self.crew.members))

    async def play(self, faults: Sequence[Fault]) -> None:
        """Let all strike at their times and mend; returns when the program is back from all."""
        begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                group.create_task(self._play(begun, fault))

    async def settle(self, seconds: float = BACK_S) -> None:
        """Feed no more; return when all that was sent is folded."""
        await self.feed.stop()
        await self.progress.until(dict(self.feed.ends), seconds)

    async def rest(self) -> None:
        """Return when all has been decided that time alone decides; TimeoutError if that goes on.

        A worker looks for what is due every second.
        """
        async with asyncio.timeout(BACK_S):
            known = None
            while known != (known := self.progress.transactions):
                await asyncio.sleep(QUIET_S)

    async def repartition(self) -> None:
        """Spread the state over more partitions half-way: all workers end, the command is killed
        where the traits say, and run again; then they go on."""
        await self.settle()
        workers = self.crew.workers
        await end_all(workers, kill=False)
        settings = {"STREAM_APP_PARTITIONS": str(self.traits.to)}
        self._env |= settings
        await self._say("-m", "support.dying", "repartition", self.traits.step)
        await self._say("-m", "stream_app", "repartition", "--apply")
        self.plan = replace(self.plan, partitions=self.traits.to)
        self.progress.follow(self.plan.partitions)
        await self.feed.look()
        for member in self.crew.members:
            member.tell(settings)
        for member in workers:
            member.start()
            member.held = False

    async def _say(self, *command: str) -> None:
        """Run a command; AssertionError where it fails for longer than a session lasts."""
        deadline = time.monotonic() + REPARTITION_S
        while True:
            code, said = await run(self._env, *command)
            if code == 0:
                print(f"{' '.join(command)}: done", flush=True)
                return
            assert "are at work on" in said, said
            assert time.monotonic() < deadline, said
            await asyncio.sleep(0.5)

    async def verdict(self) -> tuple[int, str]:
        """Exit code and words of the checker, a process of its own. All others have ended."""
        plan = self.plan
        topics = [plan.clicks, plan.purchases, plan.tags, plan.tag_state, plan.dead_letters]
        topics += [name for name in (plan.training, plan.models) if name]
        to = ["--servers", self.servers, "--app-id", plan.app_id]
        to += ["--idle-days", str(IDLE_DAYS)] * self.traits.forgetting
        checking = await asyncio.create_subprocess_exec(
            *CHECKER, *to, *topics, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await checking.communicate()
        assert checking.returncode is not None
        return checking.returncode, said.decode()

    def missed(self) -> list[str]:
        """What workers have logged of records that had been read and not folded: nothing is lost
        where they notice, and yet something has dropped them."""
        logs = sorted(self.folder.glob("worker-*.log"))
        lines = [line for log in logs for line in log.read_text(errors="replace").splitlines()]
        return [line for line in lines if MISSED in line]

    async def _play(self, begun: float, fault: Fault) -> None:
        await asyncio.sleep(begun + fault.at - time.monotonic())
        async with self._lanes[self._lane_of[fault.kind]]:
            print(f"{time.monotonic() - begun:6.1f} s  {fault.kind} {fault.target}", flush=True)
            goal, struck = dict(self.feed.ends), time.monotonic()
            await self.strikes.strike(fault)
            over = time.monotonic() - struck
        await self.progress.until(goal, BACK_S)
        self.struck.append(Struck(fault, over, time.monotonic() - struck))


@asynccontextmanager
async def staged(
    ground: Ground,
    plan: TopicPlan,
    folder: Path,
    traffic: Traffic,
    *,
    rate: float = 600.0,
    learning: bool = False,
    traits: Traits = PLAIN,
    **settings: object,
) -> AsyncIterator[Stage]:
    """A stage with its topics, without any process, and traffic that has not begun yet.

    Whatever is started on it is killed in the end.
    """
    plan = replace(plan, replication=ground.replication, min_isr=ground.min_isr)
    plan = replace(plan, routed=f"{plan.app_id}-routed")
    if learning:
        plan = replace(plan, training=f"{plan.app_id}-training", models=f"{plan.app_id}-models")
    if traits.clicks:
        await _make(ground.near, plan.clicks, traits.clicks, plan.replication)
    await ensure_topics({"bootstrap_servers": ground.near}, plan)
    folder.mkdir(exist_ok=True)
    catalogue = folder / "chaos.yaml"
    catalogue.write_text(catalogue_of(learning=learning, forgetting=traits.forgetting))
    env = environment(ground.servers, plan, **settings_of(plan, catalogue) | settings)
    feed = Feed(ground.near, plan, traffic, rate, anyhow=traits.anyhow)
    progress = Progress(ground.near, plan)
    async with feed, progress:
        stage = Stage(ground, plan, folder, env, feed, progress, traits)
        try:
            yield stage
        finally:
            stage.crew.kill()


async def _make(servers: str, topic: str, partitions: int, replication: int) -> None:
    """A topic with another number of partitions than the rest."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, replication)])
    finally:
        await admin.close()
