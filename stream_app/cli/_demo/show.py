"""The live part: events go in at their pace, changes come out, some of them are shown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from stream_app.cli._demo.errors import DemoError
from stream_app.cli._demo.feed import Feed
from stream_app.cli._demo.place import Place
from stream_app.cli._demo.process import DemoProcess
from stream_app.cli._demo.sampler import Sampler
from stream_app.cli._demo.screen import Screen
from stream_app.cli._demo.tally import Tally
from stream_app.cli._demo.words import change_row, day, meaning_row
from stream_app.data.checks import Checked
from stream_app.domain.changes import decode_change
from stream_app.kafka.console.produce import produce
from stream_app.kafka.console.tail import Extent, changes

#: A pace at which lines can be read.
LINE_SECONDS: Final = 0.7
TICK_SECONDS: Final = 0.1
POLL_SECONDS: Final = 0.5
#: The worker looks once a second for tags that time alone changes; then nothing more comes.
QUIET_SECONDS: Final = 2.5
STALL_SECONDS: Final = 60.0


@dataclass(slots=True)
class Progress:
    """How far the events are: sent and folded, and when that began and last went on (s).

    `to_learn` are records that the trainer has before it.
    """

    sent: int = 0
    by_topic: list[int] = field(default_factory=lambda: [0, 0])
    sent_to: int = 0
    done: int = 0
    refused: int = 0
    changed: int = 0
    commits: int = 0
    to_learn: int = 0
    began: float = 0.0
    folded_at: float = 0.0
    moved_at: float = 0.0

    @property
    def rate(self) -> float:
        """Events a second, from the first one sent to the last one committed."""
        seconds = self.folded_at - self.began
        return self.done / seconds if seconds > 0 else 0.0

    def send(self, chunk: Checked, total: int) -> None:
        """Note what was sent."""
        self.began = self.began or time.monotonic()
        self.sent, self.sent_to = total, int(chunk.at[-1])
        for topic in chunk.topic:
            self.by_topic[topic] += 1

    def fold(self, metrics: Mapping[str, float], now: float) -> None:
        """Note what the worker says that it has committed."""
        if not metrics:
            return
        done, commits = int(metrics.get("events", 0)), int(metrics.get("transactions", 0))
        if done != self.done:
            self.done, self.folded_at = done, now
        if commits != self.commits:
            self.commits, self.moved_at = commits, now
        self.refused = int(metrics.get("rejected", 0))
        self.changed = int(metrics.get("tag_changes", 0))

    def learn(self, metrics: Mapping[str, float], now: float) -> None:
        """Note what the trainer says that it has before it."""
        to_learn = int(metrics.get("lag", self.to_learn))
        if to_learn != self.to_learn:
            self.to_learn, self.moved_at = to_learn, now


class Show:
    """Plays a feed to a worker and follows what it publishes; `meaning` describes the tags."""

    def __init__(
        self,
        screen: Screen,
        feed: Feed,
        worker: DemoProcess,
        trainer: DemoProcess | None,
        place: Place,
        meaning: Mapping[str, str],
    ) -> None:
        self.tally = Tally()
        self.progress = Progress()
        self._screen = screen
        self.feed = feed
        self._worker = worker
        self._trainer = trainer
        self._place = place
        self._settings = place.settings
        self._meaning = meaning
        self._sampler = Sampler()

    async def play(self) -> None:
        """Return when all events are folded and all changes read. Raises DemoError."""
        self.progress.moved_at = time.monotonic()
        tasks = [
            asyncio.create_task(work)
            for work in (self._send(), self._follow(), self._poll(), self._print())
        ]
        sending = tasks[0]
        try:
            while not (sending.done() and self._settled()):
                for task in tasks:
                    if task.done():
                        task.result()
                self._check_moving()
                await asyncio.sleep(TICK_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self) -> None:
        feed, progress = self.feed, self.progress
        await produce(feed.chunks(), self._settings, feed.part.pace(), progress=progress.send)

    async def _follow(self) -> None:
        records: Any = changes(self._settings, Extent(from_beginning=True))
        async with aclosing(records):
            async for record in records:
                change = decode_change(record.value)
                self.tally.add(change)
                self._sampler.offer(change)

    async def _poll(self) -> None:
        while True:
            self._check()
            self.progress.fold(await asyncio.to_thread(self._worker.totals), time.monotonic())
            if self._trainer is not None:
                learned = await asyncio.to_thread(self._trainer.totals)
                self.progress.learn(learned, time.monotonic())
            self._screen.status(*self._status())
            await asyncio.sleep(POLL_SECONDS)

    async def _print(self) -> None:
        while True:
            change = self._sampler.take()
            if change is not None:
                self._screen.row(*change_row(change))
                if self._sampler.is_new(change) and change.tag in self._meaning:
                    self._screen.row(*meaning_row(self._meaning[change.tag]))
            await asyncio.sleep(LINE_SECONDS)

    def _check(self) -> None:
        self._worker.check()
        if self._trainer is not None:
            self._trainer.check()
        kafka = self._place.kafka
        if kafka is not None and not kafka.alive:
            raise DemoError(f"Kafka has ended: see {kafka.log}")

    def _status(self) -> tuple[float, str]:
        progress = self.progress
        waiting = progress.sent - progress.done
        text = (
            f"{day(progress.sent_to).strip() if progress.sent else 'starting'}  "
            f"{progress.done:,} events, {progress.rate:,.0f}/s  "
            f"{self.tally.changes:,} tag changes of {len(self.tally.tags):,} users"
        )
        if waiting > max(2 * progress.rate, 1000):
            text += f"  ({waiting:,} events to catch up)"
        elif progress.sent and not waiting and progress.to_learn:
            text += f"  ({progress.to_learn:,} records to learn)"
        return self.feed.part.share(progress.sent_to), text

    def _settled(self) -> bool:
        """Whether all is folded, learned and read, and time alone has changed what it will."""
        progress = self.progress
        quiet = time.monotonic() - progress.moved_at >= QUIET_SECONDS
        read = self.tally.changes >= progress.changed
        return progress.done >= progress.sent and not progress.to_learn and read and quiet

    def _check_moving(self) -> None:
        progress = self.progress
        if time.monotonic() - progress.moved_at <= STALL_SECONDS:
            return
        if self._trainer is not None and progress.to_learn:
            raise DemoError(
                f"the trainer has learned nothing for {STALL_SECONDS:.0f} s while "
                f"{progress.to_learn:,} records wait: see {self._trainer.log}",
                self._trainer.tail,
            )
        if progress.done < progress.sent:
            raise DemoError(
                f"the worker has committed nothing for {STALL_SECONDS:.0f} s while "
                f"{progress.sent - progress.done:,} events wait: see {self._worker.log}",
                self._worker.tail,
            )
