"""Assignments make, keep and end partition tasks.

Traps of DESIGN covered here: 4 (fetches of an older generation are dropped) and 9 (inputs assigned
without their changelog wait).
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from faust.types import TP
from support.clicks import click, users_on
from support.partition import FakeWriter, Partition, program, records, settle

from stream_app.engine.changelog import Loader
from stream_app.health import Health
from stream_app.kafka.errors import Fatal
from stream_app.kafka.faust_adapters.partitions import Partitions
from stream_app.kafka.faust_adapters.transport import Fetched
from stream_app.kafka.partition.states import State

TOPICS = ("clicks", "purchases", "stream_app-profiles-changelog")


def tps(*numbers: int, topics=TOPICS) -> set[TP]:
    return {TP(topic, number) for topic in topics for number in numbers}


class Worker:
    """Partitions of a worker among fakes."""

    def __init__(self) -> None:
        self.fakes = Partition()
        self.writers: dict[int, FakeWriter] = {}
        self.health = Health(60_000)
        self.fakes.inputs.bounds = dict.fromkeys(tps(0, 1, 2, 3), (0, 100))
        around = replace(self.fakes.around, new_writer=self._writer, restore=self._restore)
        self.partitions = Partitions(around, self.health)

    def _writer(self, number: int) -> FakeWriter:
        self.writers[number] = FakeWriter([])
        return self.writers[number]

    async def _restore(self, number: int, under) -> Loader:
        return Loader(under, number, 4)

    async def assign(self, *numbers: int, generation: int = 1) -> None:
        await self.partitions.assign(tps(*numbers), generation)
        await settle()

    def offer(self, number: int, *events: bytes, generation: int = 1, first: int = 0) -> None:
        fetched = Fetched(TP("clicks", number), generation, records(events, first=first))
        self.partitions.offer(fetched)


@pytest.fixture
async def worker() -> Worker:
    return Worker()


def event(number: int) -> bytes:
    return click(next(users_on(number)), number)


async def test_an_assignment_makes_tasks_and_health_knows_when_they_are_restored(worker):
    await worker.assign(0, 2)
    tasks = worker.partitions.tasks
    assert {n: t.state for n, t in tasks.items()} == {0: State.RUNNING, 2: State.RUNNING}
    assert [c.holds for c in worker.health.ready()[1:]] == [True, False]
    await worker.partitions.tick()
    assert [c.holds for c in worker.health.ready()[1:]] == [True, True]


async def test_inputs_without_their_changelog_wait(worker, caplog):
    mixed = tps(0) | tps(1, topics=TOPICS[:2]) | tps(2, topics=TOPICS[2:]) | {TP("clicks", 3)}
    await worker.partitions.assign(mixed, 1)
    assert worker.partitions.tasks.keys() == {0}
    assert "[1, 2, 3] wait" in caplog.text


async def test_fetches_go_to_their_task_and_older_generations_are_dropped(worker):
    await worker.assign(0, 1, generation=5)
    worker.offer(0, event(0), generation=4)
    worker.offer(1, event(1), generation=5)
    worker.offer(3, event(3), generation=5)
    await settle()
    assert worker.writers[0].log == []
    assert len(worker.writers[1].log) == 1
    await worker.partitions.revoke()
    worker.offer(0, event(0), generation=5)
    await worker.assign(0, 1, generation=6)
    assert worker.writers[0].log == []


async def test_what_stays_goes_on_and_what_left_is_closed(worker):
    await worker.assign(0, 1)
    worker.offer(0, event(0))
    await settle()
    kept = worker.partitions.tasks[0]
    await worker.partitions.revoke()
    assert kept.state is State.PARKED
    await worker.assign(0, 2, generation=2)
    assert worker.partitions.tasks.keys() == {0, 2}
    assert worker.partitions.tasks[0] is kept
    assert kept.state is State.RUNNING
    assert worker.writers[1].closed
    assert not worker.writers[0].closed
    assert worker.partitions.next_offsets()[TP("clicks", 0)] == 1
    assert TP("clicks", 1) not in worker.partitions.next_offsets()


async def test_a_partition_that_comes_back_later_is_restored_anew(worker):
    await worker.assign(0)
    first = worker.partitions.tasks[0]
    for generation, numbers in ((2, ()), (3, (0,))):
        await worker.partitions.revoke()
        await worker.assign(*numbers, generation=generation)
    assert first.state is State.DEAD
    assert worker.partitions.tasks[0] is not first
    assert worker.partitions.tasks[0].state is State.RUNNING


async def test_a_partition_left_untidily_does_not_stop_the_others(worker, caplog):
    await worker.assign(0, 1)

    async def fails(timeout_s: float) -> None:
        raise Fatal("no broker")

    worker.writers[1].close = fails
    await worker.partitions.revoke()
    await worker.assign(0, generation=2)
    assert "left untidily" in caplog.text
    assert worker.partitions.tasks[0].state is State.RUNNING


async def test_commits_are_progress_and_waiting_work_is_not(worker):
    """Trap 11: work that stands still ends the process, and nothing but a commit hides that."""
    await worker.assign(0)
    await worker.partitions.tick()
    worker.writers[0].gate.clear()
    worker.offer(0, event(0))
    await worker.writers[0].writing.wait()
    worker.offer(0, event(0), first=1)
    for _ in range(3):
        worker.fakes.now += 30_000
        await worker.partitions.tick()
    assert not worker.health.live(worker.fakes.now).holds
    worker.writers[0].gate.set()
    await settle()
    worker.fakes.inputs.positions = {TP("clicks", 0): 2}
    await worker.partitions.tick()
    assert worker.health.live(worker.fakes.now).holds


async def test_a_backlog_that_never_ends_is_no_stall_while_it_is_worked_off(worker):
    await worker.assign(0)
    writer, done = worker.writers[0], 0
    for _ in range(4):
        writer.gate.clear()
        writer.writing.clear()
        worker.offer(0, event(0), first=done)
        await writer.writing.wait()
        worker.offer(0, event(0), first=done + 1)
        worker.fakes.now += 40_000
        await worker.partitions.tick()
        assert worker.health.live(worker.fakes.now).holds
        writer.gate.set()
        await settle()
        done += 2
        worker.fakes.inputs.positions = {TP("clicks", 0): done}


async def test_a_catalogue_is_taken_up_by_every_task(worker):
    await worker.assign(0, 1)
    new = program("features: {n: {count: any, window: 24h}}\ntags: {}\n")
    worker.partitions.adopt(new)
    for task in worker.partitions.tasks.values():
        assert task.rounds.profiles.program is new


async def test_stop_ends_everything(worker):
    await worker.assign(0, 1)
    tasks = [*worker.partitions.tasks.values()]
    await worker.partitions.stop()
    assert [task.state for task in tasks] == [State.DEAD] * 2
    assert all(writer.closed for writer in worker.writers.values())
    assert worker.partitions.next_offsets() == {}


async def test_an_input_of_fewer_partitions_is_not_waited_for_beyond_its_last(worker):
    worker.partitions.counts = {"clicks": 3}
    assigned = tps(2, 3) - {TP("clicks", 3)}
    await worker.partitions.assign(assigned, 1)
    await settle()
    read = {n: [one.name for one in task.inputs] for n, task in worker.partitions.tasks.items()}
    assert read == {2: ["clicks", "purchases"], 3: ["purchases"]}
    assert worker.partitions.tasks[3].state is State.RUNNING


async def test_partitions_that_an_input_gets_are_read_by_a_new_task(worker):
    more = TP("clicks", 5)
    worker.fakes.inputs.bounds[more] = (0, 100)
    await worker.assign(1, 2)
    before = dict(worker.partitions.tasks)
    await worker.partitions.revoke()
    await worker.partitions.assign(tps(1, 2) | {more}, 2)
    await settle()
    tasks = worker.partitions.tasks
    assert [one.name for one in tasks[1].inputs] == ["clicks", "purchases", "clicks:5"]
    assert (before[1].state, tasks[1].state) == (State.DEAD, State.RUNNING)
    assert tasks[2] is before[2]
    worker.partitions.offer(Fetched(more, 2, records([event(1)])))
    await settle()
    assert tasks[1].rounds.next == [0, 0, 1]


async def test_a_task_begins_without_its_routed_events_while_an_older_worker_hands_out(worker):
    await worker.assign(0)
    assert [one.name for one in worker.partitions.tasks[0].inputs] == ["clicks", "purchases"]
    await worker.partitions.revoke()
    routed = TP("stream_app-routed", 0)
    worker.fakes.inputs.bounds[routed] = (0, 100)
    await worker.partitions.assign(tps(0) | {routed}, 2)
    await settle()
    assert worker.partitions.tasks[0].tps[-1] == routed
