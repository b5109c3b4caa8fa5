"""A changelog that is a list, with holes and markers, and what reads it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiokafka.structs import TopicPartition
from support.clicks import click
from support.partition import program, records

from stream_app.engine import Profiles, step
from stream_app.engine.changelog import Meta, encode_meta
from stream_app.kafka.recovery.reader import Pair, Place

CHANGELOG = TopicPartition("app-profiles-changelog", 0)


class FakeChangelog:
    """Records by offset; `end` is the last stable offset. What readers do is remembered."""

    def __init__(self) -> None:
        self.records: dict[int, Pair] = {}
        self.first = self.end = 0
        self.error: Exception | None = None
        #: Whether whoever waits for records goes on when it is cancelled, with what comes then.
        self.swallows = False
        self.readers: list[FakeReader] = []

    def commit(self, pairs: list[Any]) -> None:
        """Add the records of a transaction, and its marker."""
        for key, value in pairs:
            self.records[self.end] = key, None if value is None else bytes(value)
            self.end += 1
        self.end += 1

    def compact(self) -> None:
        """Keep the last record of each key."""
        last = {pair[0]: offset for offset, pair in self.records.items()}
        self.records = {offset: self.records[offset] for offset in sorted(last.values())}

    def reader(self) -> Any:
        """A new reader; stands for `Reader`."""
        self.readers.append(FakeReader(self))
        return self.readers[-1]


class FakeReader:
    """Takes from a FakeChangelog what `Reader` takes from Kafka."""

    changelog = CHANGELOG

    def __init__(self, log: FakeChangelog) -> None:
        self._log = log
        self.at = -1
        self.begun: list[int] = []
        self.taken = 0
        self.last: Place | None = None
        self.stopped = False

    async def start(self) -> None:
        if self._log.error:
            raise self._log.error

    async def bounds(self) -> tuple[int, int]:
        return self._log.first, self._log.end

    async def record_at(self, offset: int) -> Pair | None:
        return self._log.records.get(offset)

    def go_to(self, offset: int) -> None:
        self.at = offset
        self.begun.append(offset)

    async def take(self, most: int) -> list[Pair]:
        if self._log.error:
            raise self._log.error
        if self._log.swallows:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            await asyncio.sleep(0)
        there = [offset for offset in sorted(self._log.records) if offset >= self.at][:most]
        self.taken += len(there)
        if there:
            self.last = Place(there[-1], self._log.records[there[-1]])
        self.at = there[-1] + 1 if len(there) == most else self._log.end
        return [self._log.records[offset] for offset in there]

    async def position(self) -> int:
        return self.at

    @property
    def stable(self) -> int | None:
        return self._log.end

    async def stop(self) -> None:
        self.stopped = True


class Owner:
    """Writes to a changelog what the owner of the partition commits."""

    def __init__(self, log: FakeChangelog) -> None:
        self.log, self.profiles, self.folded = log, Profiles(program()), 0

    def fold(self, *users: str) -> None:
        """Commit a click of each of `users`."""
        clicks = [click(user, self.folded + n) for n, user in enumerate(users)]
        done = step(self.profiles, [records(clicks, self.folded), []])
        self.folded += len(users)
        strings = len(self.profiles.dictionary)
        meta = Meta({"clicks": self.folded, "purchases": 0}, self.profiles.time, "", strings)
        self.log.commit([encode_meta(meta), *done.outputs.rows()])


def values(profiles: Profiles) -> dict[str, Any]:
    """Feature values by user, at partition time."""
    return dict(profiles.read_all(profiles.time))
