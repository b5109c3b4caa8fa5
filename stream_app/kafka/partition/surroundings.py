"""What the partition tasks of a worker stand on: each part can be a fake in tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from faust.types import TP

from stream_app.engine.catalogue import Program
from stream_app.engine.changelog import Loader
from stream_app.engine.models import Models
from stream_app.kafka.partition.clock import Evenness
from stream_app.kafka.partition.rounds import Clocks, Writer
from stream_app.kafka.partition.tracing import Trace
from stream_app.kafka.partition.turns import Turns
from stream_app.metrics import Metrics
from stream_app.settings import Settings


class Inputs(Protocol):
    """What a task needs of the consumer; `BatchingConsumer` has it."""

    def open(self, tp: TP) -> None: ...
    def close_partition(self, tp: TP) -> None: ...
    async def seek(self, partition: TP, offset: int) -> None: ...
    async def log_bounds(self, tps: Sequence[TP]) -> Mapping[TP, tuple[int, int]]: ...
    async def reading(self, tp: TP) -> tuple[int, int | None, float]: ...


@dataclass(frozen=True)
class Surroundings:
    """What all tasks of a worker share; `fail` ends the process."""

    settings: Settings
    metrics: Metrics
    inputs: Inputs
    clocks: Clocks
    program: Callable[[], Program]
    new_writer: Callable[[int], Writer]
    restore: Callable[[int, Program], Awaitable[Loader]]
    fail: Callable[[BaseException], None]
    #: None as long as there is no model, and where nothing is learned.
    models: Callable[[], Models | None] = lambda: None
    turns: Turns = field(default_factory=Turns)
    evenness: Evenness = field(default_factory=Evenness)
    #: Is told of each round, where rounds are traced.
    trace: Trace | None = None
