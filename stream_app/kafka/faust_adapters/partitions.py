"""The partition tasks of a worker, made and ended by the group's assignments."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from faust.types import TP

from stream_app.engine.catalogue import Program
from stream_app.engine.models import Models
from stream_app.health import Health
from stream_app.kafka.faust_adapters.transport import Fetched
from stream_app.kafka.input_topics.inputs import ROUTED, expected, inputs_of, topics_of
from stream_app.kafka.partition.states import State
from stream_app.kafka.partition.surroundings import Surroundings
from stream_app.kafka.partition.task import PartitionTask

log = logging.getLogger(__name__)


class Partitions:
    """Tasks by partition number; the owner of a number is who holds the changelog's partition.

    `counts` are the partitions of the inputs, where there are not as many as tasks. Every method
    runs on the event loop. Whatever goes wrong ends the process by `around.fail`.
    """

    def __init__(self, around: Surroundings, health: Health) -> None:
        self.tasks: dict[int, PartitionTask] = {}
        self._around = around
        self._health = health
        self._generation = -1
        self.counts: dict[str, int] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def offer(self, fetched: Fetched) -> None:
        """Hand a fetch to its task; one from an earlier generation or seek is dropped."""
        task = self.tasks.get(fetched.tp.partition % self._around.settings.partitions)
        if fetched.era.over:
            return
        if task is not None and fetched.generation == self._generation and fetched.tp in task.tps:
            task.offer(task.tps.index(fetched.tp), fetched.records)
            if task.rounds is not None:
                now = self._around.clocks.steady_ms()
                self._health.queued(task.number, task.rounds.queue.records, now)

    async def revoke(self) -> None:
        """A rebalance begins: every task stops taking and commits what it has begun."""
        self._generation = -1
        self._health.revoked(self.tasks)
        await asyncio.gather(*(task.revoke() for task in self.tasks.values()))

    async def assign(self, assigned: Iterable[TP], generation: int) -> None:
        """A rebalance ended: go on with what is ours, leave what is not, begin what is new."""
        every = set(assigned)
        numbers = self._owned(every)
        self._generation = generation
        self._around.metrics.count("rebalances")
        self._health.assigned(numbers, self._around.clocks.steady_ms())
        for number in set(self.tasks) - numbers:
            self._leave(self.tasks.pop(number))
        for number in sorted(numbers):
            inputs = inputs_of(self._around.settings, number, every)
            task = self.tasks.get(number)
            if task is not None and task.inputs != inputs:
                # An input has more partitions than before: a new task begins with all of them.
                self._leave(self.tasks.pop(number))
                task = None
            if task is None:
                task = self.tasks[number] = PartitionTask(number, self._around, inputs)
                task.start()
            else:
                await task.assign()
        log.info("Generation %d: partitions %s", generation, sorted(numbers) or "none")

    def _owned(self, assigned: set[TP]) -> set[int]:
        settings, topics = self._around.settings, topics_of(self._around.settings)
        held = {tp.partition for tp in assigned if tp.topic == settings.changelog_topic}
        read = {
            tp.partition % settings.partitions
            for tp in assigned
            if topics.get(tp.topic, ROUTED) != ROUTED
        }
        owned = {n for n in held if expected(settings, n, self.counts) <= assigned}
        waiting = (held | read) - owned
        if waiting:
            log.warning("Partitions %s wait: not all of their topics are ours", sorted(waiting))
        return owned

    def _leave(self, task: PartitionTask) -> None:
        # Closing a producer talks to the broker; the rebalance must not wait for it. The new owner
        # fences this producer whether it is closed or not.
        for number in {task.number, *(tp.partition for tp in task.tps)}:
            self._around.metrics.forget(number)
        leaving = asyncio.create_task(task.stop(), name=f"leave-{task.number}")
        self._leaving.add(leaving)
        leaving.add_done_callback(self._left)

    def _left(self, leaving: asyncio.Task[None]) -> None:
        self._leaving.discard(leaving)
        if not leaving.cancelled() and leaving.exception() is not None:
            log.warning("A partition was left untidily: %r", leaving.exception())

    async def tick(self) -> None:
        """Once a second: time may have passed for rows, and health is told how things are."""
        for task in list(self.tasks.values()):
            await task.tick()
            now = self._around.clocks.steady_ms()
            if task.rounds is not None:
                self._health.restored(task.number, now)
                self._health.progress(task.rounds.committed_at)
                self._health.queued(task.number, task.rounds.queue.records, now)

    def next_offsets(self) -> dict[TP, int]:
        """Return where each running task goes on, for the group's offsets."""
        return {
            tp: offset
            for task in self.tasks.values()
            if task.state is State.RUNNING and task.rounds is not None
            for tp, offset in zip(task.tps, task.rounds.next, strict=True)
        }

    def adopt(self, program: Program) -> None:
        """Go on under another catalogue; tasks that still restore take it up when they are done."""
        for task in self.tasks.values():
            if task.rounds is not None:
                task.rounds.adopt(program)

    def use_models(self, models: Models) -> None:
        """Go on with other models; tasks that still restore take them up when they are done."""
        for task in self.tasks.values():
            if task.rounds is not None:
                task.rounds.use_models(models)

    async def stop(self) -> None:
        """End every task: the worker stops."""
        tasks, self.tasks = self.tasks, {}
        await asyncio.gather(*(task.stop() for task in tasks.values()), *self._leaving)
