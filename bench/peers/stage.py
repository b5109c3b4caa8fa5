"""One contender on topics of its own: started, fed phase by phase, killed, measured."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.lanes import PARTITIONS, Lane
from bench.learned import publish
from bench.load import loading
from bench.partitioning import partitions_of
from bench.peers import engine
from bench.peers.check import Profiles, Seen
from bench.peers.contenders.plan import Plan
from bench.peers.outputs import Outputs
from bench.peers.roster import CATALOGUE, Contender
from bench.peers.traffic import Phase, Record
from bench.peers.tree import Tree
from stream_app.kafka.topics import ensure_topics

#: How long a phase may take; a start of Flink is in the first one.
PATIENCE_S = float(os.environ.get("PEERS_PATIENCE_S", "240"))
#: Events are of 2026: nothing is to be deleted for its age.
_FOR_EVER = {"retention.ms": "-1"}


@dataclass(frozen=True)
class Pace:
    """How often who commits by time does so, and when who died is out of its group (0: default)."""

    commit_s: float = 5.0
    session_s: float = 0.0


class Stage:
    """A contender's lane: `start` as often as it takes, `feed`, `reach`."""

    def __init__(
        self, contender: Contender, lane: Lane, folder: Path, *, audit: bool, pace: Pace
    ) -> None:
        self.contender = contender
        self.lane = lane
        self.folder = folder
        plan = lane.plan
        self.plan = Plan(
            lane.servers, plan.app_id, plan.clicks, plan.purchases, plan.tags, PARTITIONS,
            str(folder), audit, pace.commit_s, pace.session_s,
        )  # fmt: skip
        self.outputs = Outputs(lane.servers, plan.tags)

    def start(self) -> Tree:
        """A process tree, to be entered."""
        log = self.folder / "log"
        variables = self.contender.variables(self.plan, self.lane)
        return Tree(self.contender.arguments(self.plan), log, variables)

    def prepare(self) -> None:
        """Whatever has to be done once before the first start."""
        if self.contender.prepare is None:
            return
        (self.folder / "recovery").mkdir(exist_ok=True)
        command = [self.contender.arguments(self.plan)[0], *self.contender.prepare(self.plan)]
        subprocess.run(command, check=True, capture_output=True)

    async def feed(self, records: Iterable[Record]) -> None:
        """Produce records, keyed by user."""
        chosen = list(records)
        inputs = self.lane.inputs
        places = partitions_of([record.key for record in chosen], PARTITIONS).tolist()
        async with loading(self.lane.servers) as loader:
            for record, partition in zip(chosen, places, strict=True):
                topic = inputs[record.topic]
                await loader.append(topic, partition, record.key, record.value, record.at)

    async def reach(self, phase: Phase, tree: Tree) -> float:
        """Wait until a phase is worked off; return when."""
        return await self.outputs.reach(phase.marks, PATIENCE_S, tree.check)

    async def features(self, seen: Seen) -> Profiles:
        """All features at the last audit: those published, or the engine's from its changelog."""
        if self.contender.name == "stream_app":
            return await engine.committed(self.lane)
        return seen.features

    async def seen(self) -> Seen:
        """All that has been published when nothing comes any more."""
        await self.outputs.quiet()
        seen = Seen()
        seen.take(self.outputs.values)
        return seen


@asynccontextmanager
async def staged(
    contender: Contender,
    servers: str,
    name: str,
    folder: Path,
    *,
    audit: bool,
    pace: Pace,
) -> AsyncIterator[Stage]:
    """A stage with its topics, which are deleted in the end."""
    lane = Lane(servers, f"{name}-{contender.name}".replace("_", "-"), CATALOGUE, learning=True)
    own = folder / lane.name
    own.mkdir(parents=True)
    stage = Stage(contender, lane, own, audit=audit, pace=pace)
    await _create(lane)
    if contender.name == "stream_app":
        # As a worker would: its changelog is compacted like theirs.
        await ensure_topics({"bootstrap_servers": servers}, lane.plan)
        await publish(lane, [engine.model()])
    stage.prepare()
    try:
        async with stage.outputs:
            yield stage
    finally:
        await lane.delete()


async def _create(lane: Lane) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=lane.servers)
    await admin.start()
    try:
        names = (*lane.inputs, lane.plan.tags)
        await admin.create_topics(
            [NewTopic(name, PARTITIONS, 1, topic_configs=_FOR_EVER) for name in names]
        )
    finally:
        await admin.close()


def now() -> float:
    """Seconds of a clock that never falls."""
    return time.monotonic()
