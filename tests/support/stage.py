"""Everything that a test of exactly-once needs on one stage: traffic, workers, and the verdict."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from support.broker import read_to_end
from support.checker import (
    Consumer,
    check_dead_letters,
    check_features,
    check_tags,
    check_truth,
    replayed,
)
from support.feeder import Feeder
from support.follower import Follower
from support.traffic import CATALOGUE, Traffic
from support.worker import Worker

from stream_app.domain.batch import TOPICS
from stream_app.engine.catalogue import load_catalogue
from stream_app.kafka.topics import TopicPlan

#: Small rounds, so that a backlog is many transactions; old events under new record times.
SETTINGS = {
    "clock": "event",
    "session_timeout_s": 6,
    "drain_timeout_s": 5,
    "round_records": 100,
    "retention_days": 36_500,
}
HOUR_MS = 3_600_000


class Stage:
    """One application on its own topics, fed by `feeder` and watched by `follower`."""

    def __init__(
        self,
        servers: str,
        plan: TopicPlan,
        run_worker: Callable[..., Worker],
        folder: Path,
        seed: int,
    ) -> None:
        self.servers = servers
        self.plan = plan
        catalogue = folder / "catalogue.yaml"
        catalogue.write_text(CATALOGUE)
        self.program = load_catalogue(catalogue).compile()
        self.traffic = Traffic(seed)
        self.feeder = Feeder(servers, plan, self.traffic)
        self.follower = Follower(servers, plan, self.program)
        self._run_worker = run_worker
        self._settings = SETTINGS | {"catalog": catalogue}

    def start(self, **settings: object) -> Worker:
        """Start a worker and do not wait for it."""
        return self._run_worker(self.servers, self.plan, ready=False, **self._settings | settings)

    async def started(self, **settings: object) -> Worker:
        """Start a worker; it is ready."""
        worker = self.start(**settings)
        await asyncio.to_thread(worker.wait_ready)
        return worker

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Inside, there is always a backlog; after it, what is left of that."""
        stop = asyncio.Event()
        feeding = asyncio.create_task(self.feeder.keep_busy(self.follower.committed, stop))
        try:
            yield
        finally:
            stop.set()
            await feeding

    async def settle(self, seconds: float = 90.0) -> None:
        """Return when all that was sent is committed and no row is due."""
        await self.follower.until(self._settled, seconds)

    def _settled(self) -> bool:
        following = {
            (topic, n): self.follower.next(n)[name]
            for topic, name in enumerate(TOPICS)
            for n in range(self.plan.partitions)
        }
        return following == dict(self.feeder.ends) and not self.follower.overdue()

    async def consumer(self) -> Consumer:
        """A consumer who read all of `tags`."""
        consumer = Consumer()
        consumer.follow(await read_to_end(self.servers, self.plan.tags))
        return consumer

    async def verdict(self) -> None:
        """After `settle` and the end of all workers: nothing lost, nothing doubled."""
        sent = self.feeder.sent
        replay = await asyncio.to_thread(replayed, self.program, sent, self.plan.partitions)
        committed = self.follower.finish()
        check_truth(committed, self.traffic.truth)
        check_features(committed, replay, replay.newest + 3 * HOUR_MS)
        states = await read_to_end(self.servers, self.plan.tag_state)
        check_tags(await self.consumer(), states, replay)
        letters = await read_to_end(self.servers, self.plan.dead_letters)
        check_dead_letters(letters, self.feeder.refused)


@asynccontextmanager
async def stage(
    servers: str, plan: TopicPlan, run_worker: Callable[..., Worker], folder: Path, seed: int
) -> AsyncIterator[Stage]:
    """A stage whose topics exist."""
    made = Stage(servers, plan, run_worker, folder, seed)
    async with made.follower:
        yield made
