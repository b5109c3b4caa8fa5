"""The work of one partition: take what is queued, fold it, and commit everything at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, starmap
from typing import Any, Final, NamedTuple, Protocol

from stream_app.domain.errors import Rejected
from stream_app.engine.catalogue import Program
from stream_app.engine.changelog import Loader, Meta, encode_layout, encode_meta, encode_strings
from stream_app.engine.cold.shelf import ShelfError
from stream_app.engine.having import TagUsers
from stream_app.engine.models import Models
from stream_app.engine.outputs import KeyValue
from stream_app.engine.step import DUE_LIMIT, Step, misrouted, step
from stream_app.kafka.client.writer import Outgoing, Packed, Target
from stream_app.kafka.dead_letter_queue.dead_letters import DeadLetterBudget, dead_letter
from stream_app.kafka.input_topics.inputs import Input
from stream_app.kafka.input_topics.queue import RecordQueue, Taken
from stream_app.kafka.input_topics.routing import Routed, by_target, gather, strays
from stream_app.kafka.partition.report import Report
from stream_app.kafka.partition.tracing import Times, Trace
from stream_app.metrics import Metrics
from stream_app.settings import Settings

log = logging.getLogger(__name__)

#: An idle partition commits its meta so often (ms): a transactional id that is not used for the
#: broker's `transactional.id.expiration.ms` (a week) would be forgotten.
KEEP_ALIVE_MS: Final = 3_600_000


class Writer(Protocol):
    """What a partition needs of a transactional producer; `TransactionWriter` has it."""

    async def open(self, timeout_s: float) -> None: ...
    def pack(self, outputs: Mapping[str | Target, Iterable[Outgoing]]) -> Packed: ...
    async def write(self, packed: Packed) -> int | None: ...
    async def close(self, timeout_s: float) -> None: ...


class _Folded(NamedTuple):
    """What stays of a round until its transaction is committed."""

    packed: Packed
    report: Report
    rows: int


@dataclass(frozen=True)
class Clocks:
    """Where time comes from: epoch milliseconds, and seconds that only rise.

    A wall clock may be set while the process runs: how long ago something was is told by the other.
    """

    wall_ms: Callable[[], int]
    seconds: Callable[[], float]

    def steady_ms(self) -> int:
        """Milliseconds that only rise, since whenever."""
        return round(self.seconds() * 1000)


class Rounds:
    """Folds one partition's records round by round; `next` is what the last commit said.

    `committed_at` is when that was (steady ms), or when the partition was restored.

    A round that fails leaves the profiles ahead of the commit: the caller must end the process.
    """

    def __init__(
        self,
        loader: Loader,
        inputs: Sequence[Input],
        following: Sequence[int],
        writer: Writer,
        settings: Settings,
        metrics: Metrics,
        clocks: Clocks,
        trace: Trace | None = None,
    ) -> None:
        self.profiles = loader.profiles
        self.next = list(following)
        self.queue = RecordQueue(len(inputs), settings.queue_records, settings.queue_bytes)
        self._inputs = tuple(inputs)
        self._layouts = set(loader.layouts)
        self._writer = writer
        self._settings = settings
        self._metrics = metrics
        self._clocks = clocks
        self._trace = trace
        self._begun = 0.0
        self._budget = DeadLetterBudget(settings.dead_letter_share, settings.dead_letter_run)
        self.committed_at = clocks.steady_ms()
        self._look_for_due = True
        meta = loader.meta
        #: The catalogue under which, and the models by which, every row was decided; empty while
        #: some still wait for it.
        self._decided, self._judged = ("", "") if meta is None else (meta.revision, meta.models)
        self._was = () if meta is None else meta.was
        #: Whether all that was folded is committed, and what the last commit said of itself.
        self._settled, self._meta = True, b""
        self._names = [one.name for one in inputs]
        #: Where reading would go on in what is no input now: with `route` turned off and on again,
        #: nothing must be read twice.
        self._elsewhere = {} if meta is None else dict(meta.next)
        self._having = TagUsers(self.profiles, None if meta is None else meta.tags)
        self._tell_having(self._having.counts or ())

    @property
    def waiting(self) -> bool:
        """Whether there is something to do at once."""
        return bool(self.queue.records) or self._look_for_due or not self.counted

    @property
    def counted(self) -> bool:
        """Whether it is known how many users have each tag; no round may run before."""
        return self._having.counts is not None

    def count_some(self) -> None:
        """Count some users more."""
        self._having.count_some(self.profiles)
        self._tell_having(self._having.counts or ())

    def look_for_due(self) -> None:
        """Have the next rounds decide the rows whose time has come."""
        self._look_for_due = True

    def adopt(self, program: Program) -> None:
        """Go on under another catalogue: every row is decided anew in the next rounds."""
        before = self.profiles.program
        self.profiles = self.profiles.under(program)
        self._having.adopt(self.profiles, before)
        # Tags that are declared no more have no series any more.
        self._metrics.end("tag_users", partition=str(self.profiles.number))
        self._tell_having(self._having.counts or ())
        self._anew()

    def use_models(self, models: Models) -> None:
        """Go on with other models: every row is decided anew in the next rounds."""
        self.profiles.use_models(models)
        self._anew()

    def begin_with(self, models: Models | None) -> None:
        """Begin with the models that are in use; rows that all were decided by them stay so."""
        if models is None:
            # What is decided without them is not decided by those of before.
            self._judged = ""
        elif models.revision == self._judged:
            self.profiles.models = models
        else:
            self.use_models(models)

    async def leave(self) -> None:
        """Let go of the profiles, which nobody uses any more."""
        try:
            for _ in self.profiles.leave(settled=self._settled):
                await asyncio.sleep(0)
        except ShelfError as error:
            # All is committed; only the next start takes longer.
            log.warning(
                "Partition %d: its local store was left as it was: %s", self.profiles.number, error
            )

    def _anew(self) -> None:
        self._decided = self._judged = ""
        self._look_for_due = True

    def take(self) -> Taken:
        """Take the records of the next round; what is taken is gone from the queue."""
        self._begun = self._clocks.seconds()
        return self.queue.take(self.next, self._settings.round_records, self._settings.round_bytes)

    async def run(self, taken: Taken, floor: int) -> None:
        """Fold and commit `taken`; `floor` (ms) raises partition time beyond the events."""
        clocks = self._clocks
        started = clocks.seconds()
        self._settled = False
        folded = self._fold(taken, floor)
        if folded is None:
            self._settled = True
            return
        # A transaction takes as long as several folds, and other partitions fold meanwhile.
        taken.release()
        written = clocks.seconds()
        offset = await self._writer.write(folded.packed)
        self._settled = True
        self.profiles.committed(offset, self._meta)
        self.next = taken.next
        self.committed_at = clocks.steady_ms()
        folded.report.count(self._metrics, clocks.wall_ms())
        self._tell_having({tag for tag, _ in folded.report.changes})
        self._metrics.observe("batch_seconds", written - started)
        ended = clocks.seconds()
        self._metrics.observe("transaction_seconds", ended - written)
        self._gauge()
        if self._trace is not None:
            counts = sum(folded.report.events), folded.rows, folded.report.changes.total()
            times = (self._begun, started, written, ended)
            self._trace(Times(self.profiles.number, *times, *counts))

    def _fold(self, taken: Taken, floor: int) -> _Folded | None:
        """Fold `taken` and pack what is to be written; None where that is nothing."""
        now = self._clocks.wall_ms()
        records = gather(taken, self._inputs)
        result = step(
            self.profiles,
            records,
            floor=floor,
            emitted_at=now,
            due_limit=DUE_LIMIT if self._look_for_due else 0,
            route=self._settings.route == "auto",
        )
        result.rejected += [*self._routed_twice(result, records), *strays(records)]
        if self._look_for_due and result.due < DUE_LIMIT:
            models = self.profiles.models
            self._decided = self.profiles.program.catalogue.revision
            self._judged = models.revision if models else ""
        self._look_for_due = result.due == DUE_LIMIT
        events = sum(map(len, taken.records))
        self._budget.spend(events, result.rejected)
        idle_ms = self._clocks.steady_ms() - self.committed_at
        if events or result.touched or result.training or idle_ms > KEEP_ALIVE_MS:
            report = Report.of(records, result)
            self._having.change(report.changes)
            packed = self._writer.pack(self._outputs(taken, records, result))
            return _Folded(packed, report, result.touched)
        return None

    def _routed_twice(self, result: Step, records: Sequence[Sequence[Any]]) -> list[Rejected]:
        """Take what was routed here and does not belong here out of what is to be routed.

        Workers that disagree on where users belong would else send it to and fro for ever.
        """
        every, result.misplaced, twice = result.misplaced, [], []
        for one in every:
            if isinstance(records[one.topic][one.position], Routed):
                twice.append(misrouted(self.profiles, one))
            else:
                result.misplaced.append(one)
        return twice

    def _outputs(
        self, taken: Taken, records: Sequence[Sequence[Any]], result: Step
    ) -> dict[str | Target, Iterable[Outgoing]]:
        settings, outputs = self._settings, result.outputs
        changelog = chain(self._internal(taken, result), outputs.rows())
        return {
            settings.changelog_topic: starmap(Outgoing, changelog),
            settings.tags_topic: starmap(Outgoing, outputs.encoded_changes()),
            settings.tag_state_topic: starmap(Outgoing, outputs.states),
            settings.training_topic: starmap(Outgoing, result.training),
            settings.dead_letters_topic: (
                dead_letter(records[r.topic][r.position], r, settings.dead_letter_max)
                for r in result.rejected
            ),
            **by_target(settings.routed_topic, result.misplaced, records),
        }

    def _internal(self, taken: Taken, result: Step) -> list[KeyValue]:
        """The changelog's records beside the rows."""
        layout = self.profiles.program.layout
        fingerprint = f"{layout.fingerprint:016x}"
        meta = Meta(
            next=self._elsewhere | dict(zip(self._names, taken.next, strict=True)),
            time=self.profiles.time,
            layout=fingerprint,
            strings=len(self.profiles.dictionary),
            revision=self._decided,
            seen=self.profiles.feed.seen,
            pause=self.profiles.feed.pause,
            models=self._judged,
            partitions=self.profiles.partitions,
            was=self._was,
            users=len(self.profiles),
            tags=self._having.counts,
        )
        written = encode_meta(meta)
        self._meta = bytes(written[1])
        records = [written, *self.profiles.introduction(), *encode_strings(result.strings)]
        if fingerprint not in self._layouts:
            records.append(encode_layout(layout))
            self._layouts.add(fingerprint)
        return records

    def _tell_having(self, tags: Iterable[str]) -> None:
        partition, counts = str(self.profiles.number), self._having.counts or {}
        for tag in tags:
            if tag in counts:
                self._metrics.set("tag_users", counts[tag], tag=tag, partition=partition)

    def _gauge(self) -> None:
        metrics, partition = self._metrics, str(self.profiles.number)
        metrics.set("users", len(self.profiles), partition=partition)
        metrics.set("resident_users", self.profiles.resident, partition=partition)
        read, written = self.profiles.take_traffic()
        metrics.count("cold_reads", read)
        metrics.count("cold_writes", written)
        metrics.set("queued", self.queue.records, partition=partition)
        metrics.set("partition_time_seconds", self.profiles.time / 1000, partition=partition)
        metrics.set("dead_letter_ratio", self._budget.ratio, partition=partition)
