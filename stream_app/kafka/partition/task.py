"""The life of one partition number in this worker; its work is in `rounds`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord
from faust.types import TP

from stream_app.engine.profiles import Profiles
from stream_app.kafka.errors import Fatal
from stream_app.kafka.input_topics.bounds import first_offsets
from stream_app.kafka.input_topics.inputs import Input, inputs_of
from stream_app.kafka.input_topics.lag import Lags
from stream_app.kafka.partition import states
from stream_app.kafka.partition.clock import CaughtUp
from stream_app.kafka.partition.gaps import Gaps
from stream_app.kafka.partition.rounds import Rounds
from stream_app.kafka.partition.states import State
from stream_app.kafka.partition.surroundings import Surroundings

log = logging.getLogger(__name__)


class PartitionTask:
    """The one writer of partition `number`; see `states` for its life.

    It reads `inputs`, by default the partitions of clicks and purchases with its number.
    """

    def __init__(
        self, number: int, around: Surroundings, inputs: Sequence[Input] | None = None
    ) -> None:
        self.number = number
        self.state = State.CREATED
        if inputs is None:
            topics = around.settings.clicks_topic, around.settings.purchases_topic
            inputs = inputs_of(around.settings, number, [TP(topic, number) for topic in topics])
        self.inputs = tuple(inputs)
        self.tps = tuple(one.tp for one in self.inputs)
        self.rounds: Rounds | None = None
        self._restored: Profiles | None = None
        self._around = around
        self._writer = around.new_writer(number)
        self._caught_up = CaughtUp(len(self.inputs))
        self._lags = Lags(self.inputs, around.metrics)
        self._gaps = Gaps(self.tps, around)
        #: Whether a position stands beyond what was folded, and is to be read again.
        self._beyond = False
        self._owned = True
        #: How often it was revoked or sought again: what was asked before says nothing after it.
        self._revoked = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._life: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Open the producer and restore, beside the rebalance that made this task."""
        self._to(State.RESTORING)
        self._life = asyncio.create_task(self._live(), name=f"partition-{self.number}")

    async def revoke(self) -> None:
        """Stop taking, let the open transaction finish within the drain timeout, drop the queue.

        Raises Fatal when it takes longer: the partition must not be given away half done.
        """
        self._owned = False
        self._revoked += 1
        self._fetch(False)
        if self.state is not State.RUNNING or self.rounds is None:
            return
        self._to(State.DRAINING)
        self.rounds.queue.clear()
        timeout = self._around.settings.drain_timeout_s
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError as error:
            raise Fatal(f"partition {self.number} did not drain within {timeout:.0f} s") from error
        self._to(State.PARKED)

    async def assign(self) -> None:
        """Go on: the partition is this worker's again."""
        self._owned = True
        if self.state is State.PARKED:
            await self._run()

    async def stop(self) -> None:
        """Leave: the partition is another's, or the worker ends. Rows and epoch go with it."""
        await self.revoke()
        self.state = State.DEAD
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
        await self._writer.close(self._around.settings.drain_timeout_s)
        rounds, self.rounds = self.rounds, None
        if rounds is not None:
            await rounds.leave()
        elif self._restored is not None:
            list(self._restored.leave(settled=False))
        self._restored = None

    def offer(self, number: int, records: Sequence[ConsumerRecord]) -> None:
        """Take a fetch of the input of this number; pauses fetching when enough is queued."""
        if self.state is State.RUNNING and self.rounds is not None:
            self.rounds.queue.put(number, records)
            if self.rounds.queue.full:
                self._fetch(False)
            self._wake.set()

    async def tick(self) -> None:
        """Once a second: see how far the inputs are read, and have due rows looked at."""
        rounds = self.rounds
        if self.state is not State.RUNNING or rounds is None:
            return
        for topic, tp in enumerate(self.tps):
            expected, revoked = rounds.next[topic], self._revoked
            try:
                position, stable, at_ms = await self._around.inputs.reading(tp)
            except (KafkaError, TimeoutError) as error:
                self._lags.forget(topic, self._around.clocks.steady_ms())
                log.info(
                    "Partition %d: how far it has read is not known: %r", self.number, error,
                    extra={"partition": self.number, "topic": tp.topic},
                )  # fmt: skip
                return
            if revoked != self._revoked:
                return
            await self._observe(topic, expected, position, stable, at_ms)
        rounds.look_for_due()
        self._wake.set()

    async def _observe(
        self, topic: int, expected: int, position: int, stable: int | None, at_ms: float
    ) -> None:
        rounds = self.rounds
        assert rounds is not None
        if position < expected:
            await self._gaps.refuse_return(topic, expected, position)
        empty = self._idle.is_set() and not rounds.queue.records
        self._caught_up.observe(topic, position, stable, at_ms, queue_empty=empty)
        lag = None
        if stable is not None and stable >= 0:
            lag = 0 if empty and position >= stable else stable - rounds.next[topic]
        now = self._around.clocks.steady_ms()
        self._lags.tell(topic, lag, at_ms, now, busy=not empty)
        if self._gaps.beyond(topic, rounds.next[topic], position, resting=empty):
            self._beyond = True

    async def _live(self) -> None:
        try:
            await self._restore()
            # Not for ever: aiokafka swallows a cancellation that comes while it closes a consumer.
            while self.state is not State.DEAD:
                await self._wake.wait()
                self._wake.clear()
                await self._work()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if self.state is State.DEAD:
                log.info(
                    "Partition %d was left while it was restored: %r", self.number, error,
                    extra={"partition": self.number},
                )  # fmt: skip
                return
            self.state = State.DEAD
            self._around.fail(error)

    async def _restore(self) -> None:
        around, started = self._around, self._around.clocks.seconds()
        # A third of the session: a worker that cannot get its epochs should not hold partitions.
        await self._writer.open(around.settings.session_timeout_s / 3)
        program = around.program()
        loader = await around.restore(self.number, program)
        self._restored = loader.profiles
        known = None if loader.meta is None else loader.meta.next
        bounds = await around.inputs.log_bounds(self.tps)
        accept_gaps = around.settings.accept_gaps
        names = [one.name for one in self.inputs]
        following = first_offsets(self.tps, known, bounds, names=names, accept_gaps=accept_gaps)
        self.rounds = Rounds(
            loader,
            self.inputs,
            following,
            self._writer,
            around.settings,
            around.metrics,
            around.clocks,
            around.trace,
        )
        if around.program() is not program:
            self.rounds.adopt(around.program())
        self.rounds.begin_with(around.models())
        took = around.clocks.seconds() - started
        around.metrics.observe("restore_seconds", took)
        log.info(
            "Partition %d: %d profiles restored in %.1f s; next offsets: %s",
            self.number,
            len(loader.profiles),
            took,
            ", ".join(f"{name} {n}" for name, n in zip(names, following, strict=True)),
            extra={"partition": self.number},
        )
        await self._run()
        if self.state is State.RESTORING:
            self._to(State.PARKED)

    async def _run(self) -> None:
        """Go on at the next offsets, unless a rebalance takes the partition meanwhile."""
        assert self.rounds is not None
        await self._seek(self.rounds)
        if not self._owned:
            return
        self._gaps.begin(self.rounds.next)
        self._caught_up.reset()
        self._beyond = False
        self._to(State.RUNNING)
        self._fetch(True)
        self._wake.set()

    async def _seek(self, rounds: Rounds) -> None:
        sought_after = -1
        while self._owned and sought_after != self._revoked:
            sought_after = self._revoked
            for tp, offset in zip(self.tps, rounds.next, strict=True):
                await self._around.inputs.seek(tp, offset)

    async def _work(self) -> None:
        rounds = self.rounds
        assert rounds is not None
        self._idle.clear()
        try:
            while rounds.waiting or self._beyond:
                await self._around.turns.next()
                if self.state is not State.RUNNING:
                    break
                if not rounds.counted:
                    rounds.count_some()
                    continue
                if self._beyond:
                    await self._look_again(rounds)
                    continue
                taken = rounds.take()
                self._gaps.tell_missed(taken)
                if all([await self._gaps.believe(gap) for gap in taken.gaps]):
                    await rounds.run(taken, self._floor())
                else:
                    await self._read_again(rounds)
                if rounds.queue.low and self.state is State.RUNNING:
                    self._fetch(True)
        finally:
            self._idle.set()

    async def _look_again(self, rounds: Rounds) -> None:
        """Begin once more at the next offsets: positions at rest stand beyond them."""
        self._beyond = False
        try:
            await self._read_again(rounds)
        except TimeoutError:
            # A broker does not answer; what was closed for this is opened again.
            self._gaps.forget()
        if self.state is State.RUNNING:
            self._fetch(True)

    async def _read_again(self, rounds: Rounds) -> None:
        """Drop what was read and not folded, and begin at the next offsets once more."""
        self._fetch(False)
        await self._seek(rounds)
        # Now no fetch from before the seek can join the queue any more.
        rounds.queue.clear()
        self._revoked += 1

    def _floor(self) -> int:
        clock = self._around.settings.clock or self._around.program().shop.clock
        clocks = self._around.clocks
        now = clocks.wall_ms()
        even = self._around.evenness.at(now, clocks.steady_ms())
        return now if clock == "wall" and even and self._caught_up.at(now) else 0

    def _fetch(self, on: bool) -> None:
        for tp in self.tps:
            if on:
                self._around.inputs.open(tp)
            else:
                self._around.inputs.close_partition(tp)

    def _to(self, state: State) -> None:
        self.state = states.check(self.state, state)
