"""Tasks of all partitions among lists instead of a Kafka: what is put where, and what comes of it.

Records lie in logs by topic and partition. A task's transaction that commits appends to the logs
what it routes; one that fails ends the task, and the next one begins with what was committed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.structs import ConsumerRecord
from faust.types import TP
from prometheus_client import CollectorRegistry
from support.clicks import START

from stream_app.engine import Profiles, Program
from stream_app.engine.changelog import Loader
from stream_app.kafka.client.writer import Outgoing, Target
from stream_app.kafka.input_topics.bounds import first_offsets
from stream_app.kafka.input_topics.inputs import inputs_of
from stream_app.kafka.input_topics.purge import Purge
from stream_app.kafka.partition.rounds import Clocks, Rounds
from stream_app.metrics import Metrics
from stream_app.settings import Settings


class Killed(Exception):
    """The worker is gone, and its transaction with it."""


class Routes:
    """`tasks` tasks that read clicks and purchases of `counts` partitions."""

    def __init__(self, program: Program, tasks: int, counts: tuple[int, int], **settings: Any):
        self.settings = Settings(partitions=tasks, route="auto", **settings)
        self.logs: dict[TP, list[ConsumerRecord]] = defaultdict(list)
        self.changelogs: list[list[Outgoing]] = [[] for _ in range(tasks)]
        self.dead_letters: list[Outgoing] = []
        self.tags: list[Outgoing] = []
        self.metrics = Metrics(CollectorRegistry())
        names = {self.settings.clicks_topic: counts[0], self.settings.purchases_topic: counts[1]}
        self._program = program
        self.tps = [
            TP(topic, number)
            for topic, count in (names | {self.settings.routed_topic: tasks}).items()
            for number in range(count)
        ]
        self._rounds: dict[int, Rounds] = {}
        #: The first record kept, where some were deleted.
        self.firsts: dict[TP, int] = {}
        self._purge = Purge(self.settings, self.metrics, self._offsets, self._delete)

    def put(
        self,
        tp: TP,
        key: bytes | None,
        value: bytes | None,
        at: int = START,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        """Append a record to the log of `tp`."""
        log, size = self.logs[tp], len(value or b"")
        log.append(ConsumerRecord(*tp, len(log), at, 0, key, value, None, 1, size, tuple(headers)))

    async def run(
        self, number: int, most: int = 1_000, *, kill: bool = False, purge: bool = False
    ) -> None:
        """One round of a task with at most `most` records of each input.

        With `purge`, what has arrived is deleted while the transaction is open.
        """
        rounds = self._rounds.get(number) or self._restored(number)
        self._rounds[number] = rounds
        # A worker reads again, with other boundaries, whatever it had not committed.
        rounds.queue.clear()
        for i, one in enumerate(inputs_of(self.settings, number, self.tps)):
            following = rounds.next[i]
            first = max(self.firsts.get(one.tp, 0), following - 2)
            rounds.queue.put(i, self.logs[one.tp][first : following + most])
        rounds._writer.kill, rounds._writer.purge = kill, purge
        try:
            await rounds.run(rounds.take(), 0)
        except Killed:
            del self._rounds[number]

    async def finish(self) -> None:
        """Run all tasks until nothing is left to read."""
        committed = -1
        while committed != (committed := sum(map(len, self.changelogs))):
            for number in range(self.settings.partitions):
                await self.run(number)

    async def purge(self) -> None:
        """Delete what has arrived, as each worker does that lives."""
        await self._purge.once()

    def _offsets(self) -> dict[TP, int]:
        return {
            one.tp: at
            for number, rounds in self._rounds.items()
            for one, at in zip(inputs_of(self.settings, number, self.tps), rounds.next, strict=True)
        }

    async def _delete(self, ends: Mapping[TP, int]) -> None:
        self.firsts |= ends

    def restart(self, tps: Iterable[TP]) -> None:
        """Have all tasks begin anew with other inputs."""
        self.tps = list(tps)
        self._rounds.clear()

    def profiles(self) -> list[Profiles]:
        """What every task's next owner would restore."""
        return [self._load(number).finish() for number in range(self.settings.partitions)]

    def _load(self, number: int) -> Loader:
        loader = Loader(self._program, number, self.settings.partitions)
        loader.add([(record.key, record.value) for record in self.changelogs[number]])
        return loader

    def _restored(self, number: int) -> Rounds:
        loader, inputs = self._load(number), inputs_of(self.settings, number, self.tps)
        loader.finish()
        tps, names = [one.tp for one in inputs], [one.name for one in inputs]
        bounds = {tp: (self.firsts.get(tp, 0), len(self.logs[tp])) for tp in tps}
        known = None if loader.meta is None else loader.meta.next
        following = first_offsets(tps, known, bounds, names=names)
        clocks = Clocks(wall_ms=lambda: START, seconds=lambda: 0.0)
        writer = _Writer(self, number)
        return Rounds(loader, inputs, following, writer, self.settings, self.metrics, clocks)


class _Writer:
    """A producer whose commit appends to the logs, unless it is to be killed."""

    def __init__(self, routes: Routes, number: int) -> None:
        self.kill = self.purge = False
        self._routes = routes
        self._number = number

    async def open(self, timeout_s: float) -> None: ...

    async def close(self, timeout_s: float) -> None: ...

    def pack(self, outputs: Mapping[str | Target, Iterable[Outgoing]]) -> Any:
        return {place: list(records) for place, records in outputs.items()}

    async def write(self, packed: Any) -> None:
        if self.purge:
            await self._routes.purge()
        if self.kill:
            raise Killed
        routes, settings = self._routes, self._routes.settings
        routes.changelogs[self._number] += packed.pop(settings.changelog_topic)
        routes.dead_letters += packed.pop(settings.dead_letters_topic)
        routes.tags += packed.pop(settings.tags_topic)
        for place, records in packed.items():
            if isinstance(place, Target):
                for key, value, headers in records:
                    # Kafka stamps it with the time of writing.
                    routes.put(TP(*place), key, value, START + 10**9, headers)
