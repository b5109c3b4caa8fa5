"""The active trainer: `training` folded from its first record kept, and models published."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
from collections.abc import Sequence
from typing import Final, NamedTuple

from stream_app.domain.clock import DAY, to_rfc3339
from stream_app.kafka.client.log import Entry
from stream_app.kafka.errors import Fatal, Refusal
from stream_app.kafka.input_topics.lag import KNOWN_MS
from stream_app.kafka.model_training.around import NUMBER, Around
from stream_app.kafka.model_training.publisher import Publisher
from stream_app.learning.drift import Alarm
from stream_app.learning.epochs import LEAST_DAYS
from stream_app.learning.snapshot import Model
from stream_app.learning.training import DayEnd, Example, Outcome, Record, Release, decode

log = logging.getLogger(__name__)

_AT_ONCE: Final = 2_000
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 15.0
_KINDS: Final = {Example: "example", Outcome: "outcome", DayEnd: "day", Release: "release"}


class _Folded(NamedTuple):
    """What came of some records; offsets of those that could not be read, with why.

    `models` are lists of those that came out together; `foreign` examples, of columns that are not
    learned from, were passed over.
    """

    models: list[list[Model]]
    kinds: dict[str, int]
    refused: list[tuple[int, str]]
    foreign: int = 0
    moved: Sequence[Alarm] = ()


class Training:
    """From gaining the lead to losing it: `run` folds and publishes until `stop`.

    Any failure raises Fatal, and the next start folds anew.
    """

    def __init__(self, around: Around, *, rebuild: bool = False) -> None:
        settings = around.settings
        self._around = around
        self._fold = around.make_fold()
        self._log = around.new_log(settings.training_topic)
        self._rebuild = rebuild
        self._publisher = Publisher(settings, around.metrics, around.new_writer(), rebuild=rebuild)
        self._caught_up = False
        self._wait = _FIRST_WAIT_S
        #: When the lag was last heard of (steady ms).
        self._heard = 0
        # One for the loop, one for the thread that folds.
        self._stopping = asyncio.Event()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Have `run` return after what it is doing."""
        self._stopped.set()
        self._stopping.set()

    async def run(self, *, until_end: bool = False) -> bool:
        """Fold until `stop`, or with `until_end` up to the end as it is met: True then."""
        try:
            await self._begin()
            while not self._stopping.is_set():
                await self._round()
                if self._caught_up and until_end:
                    return True
            return False
        finally:
            self._stopped.set()
            # Whoever leads tells how far it is; nobody does where nobody leads.
            self._around.metrics.end("lag")
            for part in (self._log, self._publisher):
                try:
                    await part.close()
                except Fatal as error:
                    log.warning("Leaving: %s", error)

    async def _begin(self) -> None:
        settings = self._around.settings
        self._around.health.assigned([NUMBER], self._around.now())
        published = await self._publisher.open(self._around.new_log(settings.models_topic))
        if not self._rebuild:
            self._fold.resume(published)
        first = await self._log.open()
        place = {"topic": self._log.topic, "partition": NUMBER, "offset": first}
        log.info("Leading: %s is folded from offset %d", self._log.topic, first, extra=place)
        if first > 0:
            log.warning(
                "What %s held before offset %d was deleted by its retention: what is left comes to "
                "the models that are published if it reaches %d days back",
                self._log.topic, first, LEAST_DAYS,
            )  # fmt: skip

    async def _round(self) -> None:
        """Fold what was fetched and publish what came of it, or find that this was all."""
        entries = await self._log.take(_AT_ONCE)
        if entries:
            folded = await asyncio.to_thread(self._take, entries)
            self._report(folded)
            for together in folded.models:
                await self._publisher.publish(together)
            self._around.health.progress(self._around.now())
        if not self._stopping.is_set():
            await self._look()

    def _take(self, entries: Sequence[Entry]) -> _Folded:
        """Fold in a thread: learning takes seconds at times, and the group wants its heartbeats."""
        folded, foreign = _Folded([], {}, []), self._fold.foreign
        for offset, _, value in entries:
            if self._stopped.is_set():
                break
            try:
                record = decode(value or b"")
            except ValueError as error:
                folded.refused.append((offset, str(error)))
                continue
            if models := self._learn(offset, record):
                folded.models.append(models)
            kind = _KINDS[type(record)]
            folded.kinds[kind] = folded.kinds.get(kind, 0) + 1
            self._around.health.progress(self._around.now())
        return folded._replace(foreign=self._fold.foreign - foreign, moved=self._fold.moved())

    def _learn(self, offset: int, record: Record) -> list[Model]:
        try:
            return self._fold.take(record)
        except Exception as error:
            raise Refusal(
                f"learning failed at offset {offset} of {self._log.topic}: {error!r}. The next "
                "start would fail there too: report it with the record"
            ) from error

    def _report(self, folded: _Folded) -> None:
        for kind, count in folded.kinds.items():
            self._around.metrics.count("training_records", count, kind=kind)
        if folded.foreign:
            self._around.metrics.count("training_foreign", folded.foreign)
        # What is folded again was told when it was new.
        for alarm in folded.moved if self._caught_up else ():
            self._around.metrics.count("drift_alarms", series=alarm.series)
            log.warning(
                "The daily mean of %s has moved by %.3g since %s, %.1f times its spread: see what "
                "changed in the shop or in its events",
                alarm.series, alarm.shift, to_rfc3339(alarm.since * DAY)[:10],
                abs(alarm.shift) / alarm.spread if alarm.spread else math.inf,
            )  # fmt: skip
        for offset, why in folded.refused:
            self._around.metrics.count("training_refused")
            place = {"topic": self._log.topic, "partition": NUMBER, "offset": offset}
            log.error("Offset %d of %s is skipped: %s", offset, self._log.topic, why, extra=place)

    async def _look(self) -> None:
        """Tell how far it is to the end. Brokers that are away are waited for."""
        health, metrics = self._around.health, self._around.metrics
        try:
            lag = await self._lag()
            await self._publisher.follow()
        except Fatal as error:
            await self._without_brokers(error)
            return
        if lag is None:
            return
        self._wait = _FIRST_WAIT_S
        health.connected(True)
        health.queued(NUMBER, lag, self._around.now())
        metrics.set("lag", lag, topic="training", partition=NUMBER)
        self._heard = self._around.now()
        if lag == 0 and not self._caught_up:
            await self._publisher.compare()
            self._caught_up = True
            health.restored(NUMBER, self._around.now())
            log.info("All that there is has been learned")

    async def _without_brokers(self, error: Fatal) -> None:
        """Wait for them, longer each time; after a while nobody knows the lag any more."""
        health, metrics = self._around.health, self._around.metrics
        health.connected(False)
        metrics.count("reconnects")
        if self._around.now() - self._heard > KNOWN_MS:
            metrics.end("lag")
        log.warning("Kafka is away, next try in %.1f s: %s", self._wait, error)
        await self._pause(self._wait)
        self._wait = min(_LONGEST_WAIT_S, self._wait * 2)
        # Nothing can be done, which is no stall.
        health.progress(self._around.now())

    async def _lag(self) -> int | None:
        """How many offsets are left; None when it was stopped before there was an answer."""
        asking = asyncio.ensure_future(self._log.end())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((asking, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                return None
            return max(0, asking.result() - await self._log.position())
        finally:
            asking.cancel()
            stopping.cancel()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
