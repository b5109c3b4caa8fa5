"""Joins a task's examples with their outcomes, and says when a cohort's quality may be known.

A fold of records in log order, deterministic in that order. Every example ends in exactly one
way: closed with its outcome, voided by a gap in the feed, or unmatched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from stream_app.learning.cohort import Cohort, Labelled, TaskExample, cohort_of, top_cut

_DAY_MS: Final = 86_400_000
_NO_VALUES: Final = np.empty(0, dtype=np.float64)


@dataclass(slots=True)
class Counts:
    """Of examples: `sampled` = open + `closed` + `voided` + `unmatched`; then what was not taken.

    `refused`: against the rules of time or of values; `unknown`: outcomes without an example.
    `cohorts` are those that have closed.
    """

    sampled: int = 0
    closed: int = 0
    voided: int = 0
    unmatched: int = 0
    refused: int = 0
    duplicates: int = 0
    unknown: int = 0
    cohorts: int = 0

    @property
    def open(self) -> int:
        """Examples held with their vectors: the memory in use."""
        return self.sampled - self.closed - self.voided - self.unmatched


@dataclass(frozen=True, slots=True)
class Closing:
    """What a day end releases: examples to learn from, in order, and cohorts that have closed."""

    examples: tuple[Labelled, ...] = ()
    cohorts: tuple[Cohort, ...] = ()


@dataclass(slots=True)
class _Forming:
    """A cohort that has not closed: waiting (by user), answered (by partition), settled."""

    seen: set[str] = field(default_factory=set)
    waiting: dict[str, TaskExample] = field(default_factory=dict)
    answered: dict[int, list[tuple[TaskExample, float]]] = field(default_factory=dict)
    settled: list[tuple[TaskExample, float]] = field(default_factory=list)
    voided: int = 0

    def void(self, partition: int) -> int:
        """Drop the partition's examples; return how many."""
        gone = [u for u, example in self.waiting.items() if example.partition == partition]
        for user in gone:
            del self.waiting[user]
        voided = len(gone) + len(self.answered.pop(partition, ()))
        self.voided += voided
        return voided


class Cohorts:
    """The open examples of one task.

    Partitions end their days in order, and a day's outcomes and examples come before its end.
    Whether a gap lies in an example's last day is known with that day's end, so it is there that
    examples with a boolean outcome are released, in the order of their outcomes. With a
    `quantile` outcomes are numbers; their examples are released when the cohort has closed.
    """

    def __init__(self, horizon_ms: int, max_gap_ms: int, quantile: float | None = None) -> None:
        self.counts: Final = Counts()
        self._horizon: Final = horizon_ms
        self._max_gap: Final = max_gap_ms
        self._quantile: Final = quantile
        self._forming: Final[dict[int, _Forming]] = {}
        self._partitions = 0
        #: The last day end of each partition, and the spans of time that had a gap.
        self._ended: Final[dict[int, int]] = {}
        self._gaps: Final[dict[int, list[tuple[int, int]]]] = {}

    def sample(self, example: TaskExample) -> bool:
        """Take an example; False if it is a duplicate or its partition's day has ended already."""
        cohort = self._forming.get(example.at)
        if cohort is not None and example.user in cohort.seen:
            self.counts.duplicates += 1
            return False
        if self._ended.get(example.partition, -1) >= example.at:
            self.counts.refused += 1
            return False
        cohort = self._forming.setdefault(example.at, _Forming())
        cohort.seen.add(example.user)
        cohort.waiting[example.user] = example
        self.counts.sampled += 1
        return True

    def outcome(self, user: str, sampled_at: int, at: int, value: float) -> bool:
        """Join an outcome; False if it is not dated a horizon after its example, or has none.

        True and false are 1 and 0.
        """
        if at != sampled_at + self._horizon or not self._valid(value):
            self.counts.refused += 1
            return False
        cohort = self._forming.get(sampled_at)
        if cohort is None or user not in cohort.seen:
            self.counts.unknown += 1
            return False
        example = cohort.waiting.pop(user, None)
        if example is None:
            self.counts.duplicates += 1
            return False
        cohort.answered.setdefault(example.partition, []).append((example, value))
        return True

    def day_end(self, partition: int, partitions: int, at: int, gap_ms: int) -> Closing:
        """Note that a partition has ended the day `at`; return what this releases.

        A day that it has ended before changes nothing. ValueError for no such partition.
        """
        if not 0 <= partition < partitions:
            raise ValueError(f"partition {partition} of {partitions}")
        self._partitions = max(self._partitions, partitions)
        before = self._ended.get(partition, at - _DAY_MS)
        if before >= at:
            return Closing()
        self._ended[partition] = at
        self._note_gap(partition, before, at, gap_ms)
        released = self._settle(partition, before, at)
        cohorts = []
        for day in self._complete():
            cohort, examples = self._close(day, self._forming.pop(day))
            cohorts.append(cohort)
            released += examples
        return Closing(tuple(released), tuple(cohorts))

    @property
    def everywhere(self) -> int:
        """The day end that every partition has reached; 0 before there is one.

        It rises with every cohort that closes.
        """
        return min(self._ended.values()) if len(self._ended) >= self._partitions > 0 else 0

    def _valid(self, value: float) -> bool:
        return value in (0, 1) if self._quantile is None else math.isfinite(value)

    def _note_gap(self, partition: int, before: int, at: int, gap_ms: int) -> None:
        """Keep the partition's gaps as long as a horizon that is still open can reach them."""
        gaps = self._gaps.setdefault(partition, [])
        gaps[:] = [gap for gap in gaps if gap[1] > before - self._horizon]
        if gap_ms > self._max_gap:
            gaps.append((before, at))

    def _settle(self, partition: int, before: int, at: int) -> list[Labelled]:
        """Void or settle examples whose horizon ended after `before`, and by `at`."""
        released: list[Labelled] = []
        for day in sorted(self._forming):
            end = day + self._horizon
            if not before < end <= at:
                continue
            cohort = self._forming[day]
            if any(first < end and last > day for first, last in self._gaps[partition]):
                self.counts.voided += cohort.void(partition)
            else:
                released += self._accept(cohort, cohort.answered.pop(partition, []))
        return released

    def _accept(
        self, cohort: _Forming, answered: list[tuple[TaskExample, float]]
    ) -> list[Labelled]:
        """Settle examples; boolean ones close and leave the cohort without their vectors."""
        if self._quantile is not None:
            cohort.settled += answered
            return []
        self.counts.closed += len(answered)
        cohort.settled += [(one._replace(values=_NO_VALUES), value) for one, value in answered]
        return [Labelled(example, value, value == 1) for example, value in answered]

    def _complete(self) -> list[int]:
        """The day ends whose horizon every partition has ended, the earliest first."""
        everywhere = self.everywhere
        return [day for day in sorted(self._forming) if day + self._horizon <= everywhere]

    def _close(self, day: int, cohort: _Forming) -> tuple[Cohort, list[Labelled]]:
        """Close a cohort; return the examples that only this releases."""
        self.counts.cohorts += 1
        # Outcomes that came by another partition, after the day had ended in the example's own.
        late = [
            pair for partition in sorted(cohort.answered) for pair in cohort.answered[partition]
        ]
        released = self._accept(cohort, late)
        self.counts.unmatched += len(cohort.waiting)
        cut = 0.0
        if self._quantile is not None:
            self.counts.closed += len(cohort.settled)
            cut = top_cut([value for _, value in cohort.settled], self._quantile)
        labelled = [Labelled(one, value, value > cut) for one, value in cohort.settled]
        if self._quantile is not None:
            released = labelled
        return cohort_of(day, labelled, cut, cohort.voided, len(cohort.waiting)), released
