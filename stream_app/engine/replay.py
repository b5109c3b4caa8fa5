"""The same fold without any broker: events in file order in, tag changes and final state out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from stream_app.domain.batch import TOPICS
from stream_app.domain.changes import TagState
from stream_app.domain.errors import Rejected
from stream_app.engine.catalogue import Program
from stream_app.engine.models import Models
from stream_app.engine.outputs import tag_states
from stream_app.engine.profiles import Profiles
from stream_app.engine.step import Step, step

#: Event time that one round spans at most: what time changes between events is seen this finely.
SLICE_MS: Final = 3_600_000
_ALL: Final = 2**31 - 1


class ReplayRecord(NamedTuple):
    """An event of a file in the shape of a Kafka record; `offset` is its line number."""

    value: bytes
    timestamp: int
    offset: int


class Event(NamedTuple):
    """A checked event: topic index, user, time (epoch ms), and the record that holds it."""

    topic: int
    user: str
    at: int
    record: ReplayRecord


class Replayed(NamedTuple):
    """A step of a replay, and the records that were refused with it."""

    step: Step
    refused: list[tuple[ReplayRecord, Rejected]]


class Replay:
    """Folds events as `partitions` workers would; time moves with events only (`clock: event`).

    Where something is learned, a day's end is a step of its own: what comes of its samples can be
    in use before anything later is folded. Two replays of the same events give the same features
    at the same `as_of`, whatever the number of partitions, and what a worker with that many
    partitions has committed.
    """

    def __init__(self, program: Program, partitions: int = 1, slice_ms: int = SLICE_MS) -> None:
        self.parts = [Profiles(program, number, partitions) for number in range(partitions)]
        self._program = program
        self._slice_ms = slice_ms
        self._newest = 0

    @property
    def newest(self) -> int:
        """The latest event time so far (ms)."""
        return self._newest

    @property
    def users(self) -> int:
        """Profiles of all partitions."""
        return sum(map(len, self.parts))

    def use_models(self, models: Models) -> None:
        """Have every partition decide by these models from its next step on."""
        for profiles in self.parts:
            profiles.use_models(models)

    def feed(self, events: Sequence[Event]) -> Iterator[Replayed]:
        """Fold events, in file order, a slice of event time and a partition at a time."""
        if not events:
            return
        newest = np.maximum.accumulate([self._newest, *(event.at for event in events)])[1:]
        cuts = np.flatnonzero(np.diff(newest // self._slice_ms)) + 1
        bounds = [0, *cuts.tolist(), len(events)]
        for start, stop in pairwise(bounds):
            yield from self._fold(events[start:stop])
        self._newest = int(newest[-1])

    def _fold(self, events: Sequence[Event]) -> Iterator[Replayed]:
        records: list[list[list[ReplayRecord]]] = [[[] for _ in TOPICS] for _ in self.parts]
        for event in events:
            records[self._number(event.user)][event.topic].append(event.record)
        for profiles, taken in zip(self.parts, records, strict=True):
            if any(taken):
                yield from self._end_days(profiles, self._now(taken))
                done = step(profiles, taken, emitted_at=self._now(taken), due_limit=_ALL)
                yield Replayed(done, [(taken[r.topic][r.position], r) for r in done.rejected])

    def _number(self, user: str) -> int:
        parts = len(self.parts)
        return self._program.partitioner(user.encode(), parts) if parts > 1 else 0

    def _end_days(self, profiles: Profiles, until: int) -> Iterator[Replayed]:
        """Bring a partition to each day end up to `until` (ms) at which users are sampled."""
        sampler = self._program.sampler
        if sampler is None or not profiles.time:
            return
        nobody = np.empty(0, dtype=np.int64)
        for end in sampler.day_ends(profiles, nobody, until):
            yield Replayed(self._pass_time(profiles, end), [])

    @staticmethod
    def _pass_time(profiles: Profiles, until: int) -> Step:
        nothing: list[list[ReplayRecord]] = [[] for _ in TOPICS]
        return step(profiles, nothing, floor=until, emitted_at=until, due_limit=_ALL)

    @staticmethod
    def _now(taken: Sequence[Sequence[ReplayRecord]]) -> int:
        return max(log[-1].timestamp for log in taken if log)

    def finish(self, as_of: int | None = None) -> Iterator[Step]:
        """Bring every partition to `as_of` (ms), by default to where its own events ended."""
        for profiles in self.parts:
            floor = profiles.time if as_of is None else as_of
            for ended in self._end_days(profiles, floor):
                yield ended.step
            yield self._pass_time(profiles, floor)

    def states(self) -> Iterator[TagState]:
        """Yield the tags of every user that has had any, as `tag-state` has them."""
        for profiles in self.parts:
            yield from tag_states(profiles)

    def read(self, as_of: int | None = None) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Yield user, moment (ms) and features of every user, at `as_of` or partition time."""
        for profiles in self.parts:
            at = profiles.time if as_of is None else as_of
            for user, values in profiles.read_all(at):
                yield user, at, values
