"""One partition's task among fakes: a consumer, a producer and a changelog that are lists."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiokafka.structs import ConsumerRecord
from faust.types import TP
from prometheus_client import CollectorRegistry
from support.clicks import CATALOGUE, START

from stream_app.engine import Program, load_catalogue
from stream_app.engine.changelog import Loader
from stream_app.engine.models import Models
from stream_app.kafka.client.writer import Outgoing
from stream_app.kafka.partition.rounds import Clocks
from stream_app.kafka.partition.surroundings import Surroundings
from stream_app.kafka.partition.task import PartitionTask
from stream_app.metrics import Metrics
from stream_app.settings import Settings

CLICKS, PURCHASES = TP("clicks", 0), TP("purchases", 0)


@cache
def program(text: str = CATALOGUE) -> Program:
    """The catalogue of a text, compiled."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "shop.yaml"
        path.write_text(text)
        return load_catalogue(path).compile()


def records(values: Sequence[bytes | None], first: int = 0, at: int = START) -> list[Any]:
    """Consumer records of consecutive offsets."""
    return [
        ConsumerRecord("clicks", 0, first + n, at, 0, b"k", value, None, 1, len(value or b""), ())
        for n, value in enumerate(values)
    ]


class FakeInputs:
    """The consumer: what is open, where it was sent, and what the log holds."""

    def __init__(self) -> None:
        self.opened: set[TP] = set()
        self.seeks: list[tuple[TP, int]] = []
        self.bounds = {CLICKS: (0, 100), PURCHASES: (0, 100)}
        self.positions: dict[TP, int | Exception] = {}
        #: When the last fetch was answered, by the wall clock.
        self.at = START

    def open(self, tp: TP) -> None:
        self.opened.add(tp)

    def close_partition(self, tp: TP) -> None:
        self.opened.discard(tp)

    async def seek(self, partition: TP, offset: int) -> None:
        assert partition not in self.opened, "records of the old position could come"
        self.seeks.append((partition, offset))

    async def log_bounds(self, tps: Sequence[TP]) -> Mapping[TP, tuple[int, int]]:
        return {tp: self.bounds[tp] for tp in tps}

    async def reading(self, tp: TP) -> tuple[int, int | None, float]:
        position = self.positions.get(tp, 0)
        if isinstance(position, Exception):
            raise position
        return position, position, float(self.at)


class FakeWriter:
    """The producer: each committed transaction by topic. `gate` holds a write, `error` fails it."""

    def __init__(self, log: list[dict[str, list[Outgoing]]]) -> None:
        self.log = log
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.opened: list[float] = []
        self.writing = asyncio.Event()
        self.closed = False

    async def open(self, timeout_s: float) -> None:
        if self.error:
            raise self.error
        self.opened.append(timeout_s)

    def pack(self, outputs: Mapping[str, Iterable[Outgoing]]) -> Any:
        packed = {topic: list(outgoing) for topic, outgoing in outputs.items()}
        return {topic: outgoing for topic, outgoing in packed.items() if outgoing}

    async def write(self, packed: Any) -> None:
        self.writing.set()
        await self.gate.wait()
        if self.error:
            raise self.error
        self.log.append(packed)

    async def close(self, timeout_s: float) -> None:
        self.closed = True


class Partition:
    """Partition 0 of one, its surroundings, and what it committed (`log`)."""

    def __init__(self, catalogue: str = CATALOGUE, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.log: list[dict[str, list[Outgoing]]] = []
        self.inputs = FakeInputs()
        self.writer = FakeWriter(self.log)
        self.metrics = Metrics(CollectorRegistry())
        self.program = program(catalogue)
        self.models: Models | None = None
        #: The steady clock (ms), and how far the wall clock is ahead of it.
        self.now = START
        self.ahead = 0
        self.failed: list[BaseException] = []
        self.restoring = asyncio.Event()
        self.restoring.set()
        self.around = Surroundings(
            settings=self.settings,
            metrics=self.metrics,
            inputs=self.inputs,
            clocks=Clocks(wall_ms=lambda: self.now + self.ahead, seconds=lambda: self.now / 1000),
            program=lambda: self.program,
            new_writer=lambda number: self.writer,
            restore=self._restore,
            fail=self.failed.append,
            models=lambda: self.models,
        )
        self.task = PartitionTask(0, self.around)

    def load(self, under: Program | None = None) -> Loader:
        """What the next owner restores from what was committed."""
        loader = Loader(under or self.program, 0, 1)
        for outputs in self.log:
            loader.add([(r.key, r.value) for r in outputs[self.settings.changelog_topic]])
        loader.finish()
        return loader

    async def _restore(self, number: int, under: Program) -> Loader:
        await self.restoring.wait()
        return self.load(under)

    async def started(self) -> PartitionTask:
        """The task, restored and running."""
        self.task.start()
        await settle()
        return self.task

    def records(self, topic: str) -> list[Outgoing]:
        """Everything committed to a topic."""
        return [record for outputs in self.log for record in outputs.get(topic, ())]


async def settle() -> None:
    """Let every task run until all of them wait; nothing here waits for time."""
    for _ in range(50):
        await asyncio.sleep(0)
