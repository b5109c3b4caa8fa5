"""A partition task under rebalances that come at awkward moments, against a made-up broker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry
from support.clicks import click
from support.partition import records
from support.traffic import CATALOGUE

from stream_app.engine.catalogue import Program, load_catalogue
from stream_app.engine.changelog import Loader, Meta, encode_meta
from stream_app.kafka.partition.rounds import Clocks
from stream_app.kafka.partition.states import State
from stream_app.kafka.partition.surroundings import Surroundings
from stream_app.kafka.partition.task import PartitionTask
from stream_app.metrics import Metrics
from stream_app.settings import Settings

TPS = (TP("clicks", 0), TP("purchases", 0))
Hook = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """Let others run."""
    await asyncio.sleep(0)


class Broker:
    """Inputs whose next offsets are 50; hooks run inside its calls."""

    def __init__(self) -> None:
        self.positions: dict[TP, int] = {}
        self.opened: set[TP] = set()
        self.on_seek: Hook = nothing
        self.on_reading: Hook = nothing
        self.failed: list[BaseException] = []

    def open(self, tp: TP) -> None:
        self.opened.add(tp)

    def close_partition(self, tp: TP) -> None:
        self.opened.discard(tp)

    async def seek(self, partition: TP, offset: int) -> None:
        await self.on_seek()
        self.positions[partition] = offset

    async def log_bounds(self, tps: Sequence[TP]) -> Mapping[TP, tuple[int, int]]:
        return dict.fromkeys(tps, (0, 100))

    async def reading(self, tp: TP) -> tuple[int, int | None, float]:
        found = self.positions[tp]
        await self.on_reading()
        return found, 100, 0.0


class Writer:
    """A producer that takes everything."""

    async def open(self, timeout_s: float) -> None: ...
    def pack(self, outputs: object) -> dict[str, object]:
        return {}

    async def write(self, packed: object) -> None: ...
    async def close(self, timeout_s: float) -> None: ...


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    file = tmp_path_factory.mktemp("catalogue") / "catalogue.yaml"
    file.write_text(CATALOGUE)
    return load_catalogue(file).compile()


@pytest.fixture
def broker() -> Broker:
    return Broker()


def task_on(broker: Broker, program: Program, restoring: Hook = nothing) -> PartitionTask:
    async def restore(number: int, wanted: Program) -> Loader:
        await restoring()
        loader = Loader(wanted, number, 1)
        following = {"clicks": 50, "purchases": 50}
        loader.add([encode_meta(Meta(next=following, time=0, layout="", strings=0))])
        loader.finish()
        return loader

    around = Surroundings(
        settings=Settings(),
        metrics=Metrics(CollectorRegistry()),
        inputs=broker,
        clocks=Clocks(wall_ms=lambda: 0, seconds=lambda: 0.0),
        program=lambda: program,
        new_writer=lambda number: Writer(),
        restore=restore,
        fail=broker.failed.append,
    )
    return PartitionTask(0, around)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not done():
            await asyncio.sleep(0)


async def test_it_goes_on_where_the_changelog_says(broker: Broker, program: Program) -> None:
    task = task_on(broker, program)
    task.start()
    await until(lambda: task.state is State.RUNNING)
    assert broker.positions == dict.fromkeys(TPS, 50)
    assert broker.opened == set(TPS)
    await task.stop()
    assert (task.state, broker.opened, broker.failed) == (State.DEAD, set(), [])


async def test_a_partition_that_leaves_while_it_goes_on_is_not_read(
    broker: Broker, program: Program
) -> None:
    task = task_on(broker, program)
    broker.on_seek = task.revoke
    task.start()
    await until(lambda: task.state is State.PARKED)
    assert broker.opened == set()
    broker.on_seek = nothing
    await task.assign()
    assert (task.state, broker.opened) == (State.RUNNING, set(TPS))
    await task.stop()


async def test_after_a_rebalance_within_a_seek_every_input_is_sought_again(
    broker: Broker, program: Program
) -> None:
    task = task_on(broker, program)

    async def rebalance() -> None:
        broker.on_seek = nothing
        await task.revoke()
        # The new assignment begins at the group's offsets, which lag behind.
        broker.positions = dict.fromkeys(TPS, 7)
        await task.assign()

    async def after_the_first() -> None:
        broker.on_seek = rebalance

    broker.on_seek = after_the_first
    task.start()
    await until(lambda: task.state is State.RUNNING)
    assert broker.positions == dict.fromkeys(TPS, 50)
    await task.stop()
    assert broker.failed == []


async def test_a_position_asked_for_before_a_rebalance_says_nothing_after_it(
    broker: Broker, program: Program
) -> None:
    task = task_on(broker, program)
    task.start()
    await until(lambda: task.state is State.RUNNING)

    async def rebalance() -> None:
        broker.on_reading = nothing
        await task.revoke()
        await task.assign()

    broker.on_reading = rebalance
    broker.positions = dict.fromkeys(TPS, 7)
    await task.tick()
    assert broker.failed == []
    assert task.state is State.RUNNING
    await task.stop()


async def test_a_position_asked_for_before_a_gap_is_sought_again_says_nothing_after_it(
    broker: Broker, program: Program
) -> None:
    task = task_on(broker, program)
    task.start()
    await until(lambda: task.state is State.RUNNING)

    async def gap() -> None:
        broker.on_reading = nothing
        task.offer(0, records([click("ann", 0)], first=99))
        await until(lambda: broker.positions[TPS[0]] == 50)
        await until(lambda: broker.opened == set(TPS) and task._idle.is_set())
        broker.positions[TPS[1]] = 100

    broker.on_reading = gap
    broker.positions = dict.fromkeys(TPS, 100)
    await task.tick()
    # Nothing from 50 on was folded.
    assert not task._caught_up.at(0)
    await task.stop()
    assert broker.failed == []


async def test_a_partition_left_while_restoring_ends_quietly(
    broker: Broker, program: Program
) -> None:
    restoring = asyncio.Event()

    async def swallowing() -> None:
        # As aiokafka does when it is cancelled while it closes a consumer.
        restoring.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await nothing()

    task = task_on(broker, program, swallowing)
    task.start()
    await restoring.wait()
    async with asyncio.timeout(5):
        await task.stop()
    assert (task.state, broker.opened, broker.failed) == (State.DEAD, set(), [])
