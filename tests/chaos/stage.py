"""An application on its own topics, fed and watched, with faults that strike it."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from support.broker import environment
from support.skew import Skew
from support.traffic import CATALOGUE, Traffic
from support.upkeep import run
from support.worker import Worker

from chaos import checker
from chaos.crew import TRAINER, TRY_AGAIN, WORKER, Crew, Member
from chaos.feed import Feed
from chaos.ground import Ground
from chaos.progress import Progress
from chaos.schedule import CLOCK, PROGRAM, Fault, Traits
from stream_app.kafka.topics import TopicPlan, ensure_topics

LEARNING = """
learning:
  max_gap: 3d
  predictions:
    orders_soon:
      description: Will order within two days.
      features: [views_6h, carts_24h, orders_7d, spend_7d, hours_since_cart]
      outcome: orders_2d > 0
      horizon: 2d
      rate: 1
      bands: {mid: 0.3, high: 0.6, top: 0.9, margin: 0.05}
  segments: {features: [views_6h, orders_7d, spend_7d], rate: 1, k: [2, 4]}
"""
FEATURE = "features:\n  orders_2d: {count: purchase, window: 2d}\n"
LEARNED = CATALOGUE.replace("features:\n", FEATURE) + LEARNING
SETTINGS: Mapping[str, object] = {
    "clock": "event",
    "session_timeout_s": 6,
    "drain_timeout_s": 5,
    "round_records": 200,
    "retention_days": 36_500,
    # The checker reads what was routed.
    "routed_purge_s": 0,
}
#: Producers place events by their user, all is in memory, and partitions stay as many.
PLAIN = Traits(False, 0, "", 0, "")
USERS, STEP_MS = 300, 60_000
FLOOD = 400
#: Clocks jump by an hour, some days, some seconds: forwards and back.
JUMPS_S = (3_600, -3_600, 30 * 3_600, -48 * 3_600, 20, -20)
#: How SIGTERM ends a worker: in peace, in haste, or before it listens to signals.
LEFT = (0, TRY_AGAIN, -15, 143)
#: Everything that was sent before a fault is folded so long after it at the latest.
BACK_S = 120.0
#: A zombie that others have replaced is gone so long after it woke up.
FENCED_S = 60.0
#: Of `USERS` on all partitions, a worker keeps so many in memory where most are on disk.
RESIDENT = 24
#: The command that adds partitions may find workers in the group until their session is over.
REPARTITION_S = 90.0
MISSED = "had been read and not folded"
CHECKER = (sys.executable, checker.__file__)


class Struck(NamedTuple):
    """A fault that was played, and seconds from its strike: until it was over, and until all that
    had been sent before it was folded."""

    fault: Fault
    over_s: float
    back_s: float


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
        #: Of each zombie: how it ended; None where nobody had taken its place.
        self.zombies: list[int | None] = []
        self.traits = traits
        self._env = dict(env)
        self._ground = ground
        self._lanes: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._lane_of = {kind.name: kind.lane for kind in (*PROGRAM, *CLOCK, *ground.kinds)}
        self._skew = Skew(folder / "skew")

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
            found["STREAM_APP_MAX_RESIDENT_USERS"] = str(RESIDENT)
            found["STREAM_APP_STATE_DIR"] = str(self._state_of(name))
        return found

    def _state_of(self, name: str) -> Path:
        return self.folder / "state" / name

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

    async def repartition(self) -> None:
        """Spread the state over more partitions half-way: all workers end, the command is killed
        where the traits say, and run again; then they go on."""
        await self.settle()
        workers = self.crew.workers
        await _end(workers, kill=False)
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
            await self._strike(fault)
            over = time.monotonic() - struck
        await self.progress.until(goal, BACK_S)
        self.struck.append(Struck(fault, over, time.monotonic() - struck))

    async def _strike(self, fault: Fault) -> None:
        workers = self.crew.workers
        one = workers[fault.target % len(workers)]
        if fault.kind == "kill":
            await self._killed([one], fault.lasts)
        elif fault.kind == "kill-all":
            await self._killed(workers, fault.lasts)
        elif fault.kind == "restart-all":
            await _replaced(workers, fault.lasts, kill=False)
        elif fault.kind == "kill-trainer":
            await _replaced(self.crew.trainers, fault.lasts, kill=True)
        elif fault.kind == "zombie":
            self.zombies.append(await zombie(one, workers, fault.lasts))
        elif fault.kind == "flood":
            await self.feed.flood(FLOOD)
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
        gone = [self._state_of(m.name) for m in members] if self.traits.cold == "lost" else []
        await _replaced(members, seconds, kill=True, gone=gone)


async def _end(members: Sequence[Member], *, kill: bool) -> None:
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
        await _end(members, kill=kill)
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
    catalogue.write_text(LEARNED if learning else CATALOGUE)
    env = environment(ground.servers, plan, **_settings(plan, catalogue) | settings)
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


def traffic_of(seed: int, live_rate: float = 0.0) -> Traffic:
    """What a run is fed: few users who come often, a day of theirs in a few seconds.

    With a `live_rate` (events a second) events are of the time at which they are sent.
    """
    if live_rate:
        now = time.time_ns() // 1_000_000
        return Traffic(seed, USERS, step_ms=int(1000 / live_rate), start=now)
    return Traffic(seed, USERS, step_ms=STEP_MS)


def _settings(plan: TopicPlan, catalogue: Path) -> dict[str, object]:
    topics = {"training_topic": plan.training, "models_topic": plan.models} if plan.training else {}
    copies = {"replication": plan.replication, "min_insync_replicas": plan.min_isr}
    return {**SETTINGS, **topics, **copies, "catalog": catalogue}


def mttr(struck: Sequence[Struck]) -> str:
    """By kind of fault: how long it lasted; and then, until all that was sent before was folded."""
    by_kind: defaultdict[str, list[Struck]] = defaultdict(list)
    for one in struck:
        by_kind[one.fault.kind].append(one)
    lines = ["in seconds       times   it lasted   until all sent before it was folded, after it"]
    for kind, these in sorted(by_kind.items()):
        lasted = median(one.over_s for one in these)
        after = [max(0.0, one.back_s - one.over_s) for one in these]
        lines.append(
            f"  {kind:<14} {len(these):5} {lasted:11.1f}"
            f"   median {median(after):.1f}, worst {max(after):.1f}"
        )
    return "\n".join(lines)
