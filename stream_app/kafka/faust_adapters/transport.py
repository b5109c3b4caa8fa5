"""A Faust transport that hands whole fetches to agents instead of single records.

Faust keeps what it is good at: group membership, co-partitioned assignment, flow control and
agents. Positions, offsets and restoring belong to the partition tasks, so everything that Faust
would do about them is answered here with "nothing to do".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

import aiokafka
import faust
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from mode.utils.futures import maybe_async

from stream_app.kafka.client import records
from stream_app.kafka.client.rights import failed

#: URL scheme of this transport: `batching://host:port`.
SCHEME = "batching"
#: A fetch that finds nothing may hold up other partitions of the same broker for so long.
FETCH_MAX_WAIT_MS = 25
#: A partition that was opened meanwhile is looked at after so long at the latest.
POLL_SECONDS = 0.1
#: Nothing that the worker could do without is waited for longer.
ANSWER_SECONDS = 5.0


class Era:
    """The time of a partition from one seek to the next; then it is `over`."""

    def __init__(self) -> None:
        self.over = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records of one partition from one fetch, under the group generation that fetched them."""

    tp: TP
    generation: int
    records: Sequence[ConsumerRecord]
    era: Era = field(default_factory=Era)


class FetchSchema(faust.Schema):
    """Passes a fetch through undecoded: an undecodable record must not stop its neighbours."""

    def loads_key(self, app: Any, message: Any, **kwargs: Any) -> Any:
        return message.key

    def loads_value(self, app: Any, message: Any, **kwargs: Any) -> Any:
        return message.value


class InLoopConsumer(driver.AIOKafkaConsumerThread):
    """What talks to the broker: Faust's consumer thread, without a thread of its own.

    A thread would wait for the interpreter whenever a fold runs, a fetch through several such
    waits: that was two thirds of the latency at 10,000 events a second. Folds are short, so that
    heartbeats can wait for them. Reads committed records only.
    """

    def __init__(self, consumer: Any, *, loop: asyncio.AbstractEventLoop, **kwargs: Any) -> None:
        super().__init__(consumer, loop=loop, thread_loop=loop, **kwargs)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start as a task of the loop; raises what prevents it."""
        self._thread_started.set()
        self._thread_running = self.parent_loop.create_future()
        self._serving = asyncio.create_task(self._serve())
        try:
            await self._thread_running
        finally:
            self._thread_running = None

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return what `fun` does, which goes on when the caller is cancelled, as in a thread."""
        return await asyncio.shield(maybe_async(fun(*args, **kwargs)))

    async def _fetch_records(
        self, consumer: aiokafka.AIOKafkaConsumer, active_partitions: set[TP], **options: Any
    ) -> Any:
        # Whoever asks may be cancelled, while this goes on.
        with self.consumer.fetching(active_partitions):
            return await super()._fetch_records(consumer, active_partitions, **options)

    async def _gather_remaining_tasks(self) -> None:
        # A thread would end the tasks left in its loop. This loop is not this service's.
        pass

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust has no setting for these two; aiokafka reads them when it starts.
        for name, value in (
            ("_isolation_level", "read_committed"),
            ("_fetch_max_wait_ms", FETCH_MAX_WAIT_MS),
        ):
            if not hasattr(consumer, name):
                raise RuntimeError(f"this aiokafka has no {name}; use a version from the lock file")
            setattr(consumer, name, value)
        return consumer


class BatchingConsumer(driver.Consumer):
    """Delivers one message a fetch and partition, from the partitions that tasks have opened."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._opened: set[TP] = set()
        self._eras: dict[TP, Era] = {}
        #: The partitions of each fetch that has not ended, by an object of its own.
        self._fetching: dict[object, frozenset[TP]] = {}
        self._fetch_over = asyncio.Event()
        self._publishing: asyncio.Future[None] | None = None
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> InLoopConsumer:
        return InLoopConsumer(self, loop=self.loop, beacon=self.beacon)

    def open(self, tp: TP) -> None:
        """Deliver records of `tp` from now on."""
        self._opened.add(tp)

    def close_partition(self, tp: TP) -> None:
        """Deliver no more records of `tp`; its position stays."""
        self._opened.discard(tp)

    def _get_active_partitions(self) -> set[TP]:
        # A copy: Faust pauses and resumes inputs by mutating what it gets here, and would open
        # all once its own (empty) recovery is over, before the tasks have restored anything.
        return set(self._opened)

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self.should_stop or fetcher.should_stop):
            records, _ = await self._wait_next_records(POLL_SECONDS)
            if records and self.flow_active:
                # All at once: one after the other, each would wait for folds in between.
                delivered = asyncio.gather(*map(self.callback, self._messages(records)))
                await self.wait_first(delivered, self.suspend_flow.wait())

    def _messages(self, records: Mapping[Any, Sequence[ConsumerRecord]]) -> list[ConsumerMessage]:
        generation = self.app.consumer_generation_id
        tps = {TP(tp.topic, tp.partition): fetched for tp, fetched in records.items() if fetched}
        return [
            self._to_fetch(tp, generation, fetched, self._eras.get(tp))
            for tp, fetched in tps.items()
        ]

    def _to_fetch(
        self,
        tp: TP,
        generation: int,
        records: Sequence[ConsumerRecord],
        era: Era | None = None,
    ) -> ConsumerMessage:
        last = records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            (),
            None,
            Fetched(tp, generation, records, era or Era()),
            None,
            None,
            None,
            tp,
            generation_id=generation,
        )

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        # Here too: what is fetched belongs to the era in which it was, up to when it says so.
        with self.fetching(active_partitions or ()):
            return await super()._getmany(active_partitions, timeout)

    @contextmanager
    def fetching(self, tps: Iterable[TP]) -> Iterator[None]:
        """Remember while it lasts that a fetch may move the positions of `tps`."""
        fetch = object()
        self._fetching[fetch] = frozenset(tps)
        try:
            yield
        finally:
            del self._fetching[fetch]
            self._fetch_over.set()
            self._fetch_over.clear()

    async def _seek(self, partition: TP, offset: int) -> None:
        """Go on at `offset` with a closed partition; what was fetched before is to be dropped.

        A fetch that was begun before the partition was closed outlives a rebalance, and whoever
        asked for it. It would move the position past records that nobody takes, so its end is
        waited for.
        """
        async with asyncio.timeout(ANSWER_SECONDS):
            while any(partition in tps for tps in self._fetching.values()):
                await self._fetch_over.wait()
        self._eras.pop(partition, Era()).over = True
        self._eras[partition] = Era()
        self._thread._ensure_consumer().seek(driver.ensure_aiokafka_TP(partition), offset)

    async def perform_seek(self) -> None:
        """Do nothing: a task seeks when it knows its next offsets from `\\0meta`."""

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Answer that every changelog is empty: restoring is the tasks' own."""
        return dict.fromkeys(partitions, 0)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        return True

    async def publish_offsets(self, offsets: Mapping[TP, int]) -> None:
        """Tell the group how far the tasks are, for lag and autoscaling; nothing depends on it."""
        if not offsets:
            return  # There may be no consumer yet.
        kafka = self._thread._ensure_consumer()
        assigned = {
            driver.ensure_aiokafka_TP(tp): offset
            for tp, offset in offsets.items()
            if tp in kafka.assignment()
        }
        # It waits for a coordinator that is away for as long as that takes, and goes on when nobody
        # waits for it any more: never begin another one beside it.
        if assigned and (self._publishing is None or self._publishing.done()):
            self._publishing = asyncio.ensure_future(kafka.commit(assigned))
            self._publishing.add_done_callback(self._published)
            await asyncio.wait((self._publishing,), timeout=ANSWER_SECONDS)

    def _published(self, publishing: asyncio.Future[None]) -> None:
        error = None if publishing.cancelled() else publishing.exception()
        if error is not None:
            self.log.info("Offsets were not published to the group: %r", error)

    async def log_bounds(self, tps: Sequence[TP]) -> Mapping[TP, tuple[int, int]]:
        """Return the first offset kept and the last stable offset of each of `tps`."""
        kafka = self._thread._ensure_consumer()
        first = await kafka.beginning_offsets(list(tps))
        end = await kafka.end_offsets(list(tps))
        return {tp: (first[tp], end[tp]) for tp in tps}

    async def reading(self, tp: TP) -> tuple[int, int | None, float]:
        """Return position, last stable offset as of the last fetch, and that fetch's time (ms).

        Raises KafkaError or TimeoutError where that is not known, as during a rebalance.
        """
        kafka = self._thread._ensure_consumer()
        async with asyncio.timeout(ANSWER_SECONDS):
            position = await kafka.position(tp)
        return position, kafka.last_stable_offset(tp), kafka.last_poll_timestamp(tp) or 0

    def last_fetch_ms(self) -> float | None:
        """Return when a fetch was last answered (epoch ms), None where nothing is open.

        Raises Fatal where the group refuses us: without partitions, nobody else would hear of it.
        """
        coordinator = getattr(getattr(self._thread, "_consumer", None), "_coordinator", None)
        if coordinator is not None:
            try:
                coordinator.check_errors()
            except KafkaError as error:
                raise failed("the group of workers failed", error) from error
        if not self._opened:
            return None
        kafka = self._thread._ensure_consumer()
        times = []
        for tp in map(driver.ensure_aiokafka_TP, self._opened):
            # The consumer may have lost the partition before the task is told.
            with suppress(AssertionError):
                times.append(kafka.last_poll_timestamp(tp) or 0)
        return max(times, default=None)


class Transport(driver.Transport):
    """Kafka by aiokafka, a fetch at a time."""

    Consumer: ClassVar[Any] = BatchingConsumer


def register() -> None:
    """Make the `batching://` scheme known to Faust, and records lighter."""
    records.register()
    TRANSPORTS.aliases[SCHEME] = f"{__name__}:Transport"
