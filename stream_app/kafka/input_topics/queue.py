"""Fetches that wait for one partition's next round, trimmed to what was not folded yet."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from aiokafka.structs import ConsumerRecord
from numpy.typing import NDArray

_offset = attrgetter("offset")
_timestamp = attrgetter("timestamp")
_value = attrgetter("value")


class Gap(NamedTuple):
    """Records of input `topic` began at `found` where `expected` was next."""

    topic: int
    expected: int
    found: int


class Taken(NamedTuple):
    """Records of a round by input topic, the next offsets after them, and gaps met on the way."""

    records: list[list[ConsumerRecord]]
    next: list[int]
    gaps: list[Gap]

    def release(self) -> None:
        """Let the records go, although whoever took them holds this still."""
        for records in self.records:
            records.clear()


class _Fetch(NamedTuple):
    """Records as they came, and how many bytes their values have."""

    records: Sequence[ConsumerRecord]
    bytes: int


class RecordQueue:
    """A bounded queue: `full` asks the owner to stop fetching, nothing is refused.

    Whatever is delivered twice, in whatever batches, is taken once: every record is compared with
    the next offset of its own topic.
    """

    def __init__(self, topics: int, max_records: int, max_bytes: int = 2**26) -> None:
        self._fetches: list[deque[_Fetch]] = [deque() for _ in range(topics)]
        self._max_records = max_records
        self._max_bytes = max_bytes
        self.records = 0
        self.bytes = 0

    @property
    def full(self) -> bool:
        """Whether fetching should pause."""
        return self.records >= self._max_records or self.bytes >= self._max_bytes

    @property
    def low(self) -> bool:
        """Whether fetching may go on after a pause."""
        return self.records <= self._max_records // 2 and self.bytes <= self._max_bytes // 2

    def put(self, topic: int, records: Sequence[ConsumerRecord]) -> None:
        """Add a fetch of input `topic`; records ascend in offset."""
        fetch = _Fetch(records, _size(records))
        self._fetches[topic].append(fetch)
        self.records += len(records)
        self.bytes += fetch.bytes

    def clear(self) -> None:
        """Drop everything: after a revoke others may own what is here."""
        for fetches in self._fetches:
            fetches.clear()
        self.records = self.bytes = 0

    def take(self, following: Sequence[int], max_records: int, max_bytes: int) -> Taken:
        """Take records in log order, from `following` (next offset by topic) on, within bounds.

        Of several topics those with the earliest timestamps are taken: a backlog of few purchases
        would else run days ahead of the clicks of the same time.
        """
        taken = Taken([[] for _ in self._fetches], list(following), [])
        for topic, share in enumerate(self._shares(max_records)):
            self._take_topic(topic, taken, share, max_bytes // len(self._fetches))
        return taken

    def _shares(self, max_records: int) -> list[int]:
        """How many of the next `max_records` records in time are each topic's."""
        if self.records <= max_records or sum(map(bool, self._fetches)) < 2:
            return [max_records] * len(self._fetches)
        times = [_times(fetches, max_records) for fetches in self._fetches]
        topics = np.repeat(np.arange(len(times)), list(map(len, times)))
        earliest = np.concatenate(times).argsort(kind="stable")[:max_records]
        shares: list[int] = np.bincount(topics[earliest], minlength=len(times)).tolist()
        return shares

    def _take_topic(self, topic: int, taken: Taken, max_records: int, max_bytes: int) -> None:
        fetches, out, size = self._fetches[topic], taken.records[topic], 0
        while fetches and len(out) < max_records and size < max_bytes:
            fetch, held = fetches.popleft()
            start = bisect_left(fetch, taken.next[topic], key=_offset)
            stop = min(len(fetch), start + max_records - len(out))
            dropped = _size(fetch[:start])
            took = held - dropped
            if stop < len(fetch) or size + took >= max_bytes:
                stop, took = _within(fetch, start, stop, max_bytes - size)
            size += took
            self.records -= stop
            self.bytes -= dropped + took
            if stop < len(fetch):
                fetches.appendleft(_Fetch(fetch[stop:], held - dropped - took))
            if start < stop:
                if fetch[start].offset > taken.next[topic]:
                    taken.gaps.append(Gap(topic, taken.next[topic], fetch[start].offset))
                out.extend(fetch[start:stop])
                taken.next[topic] = fetch[stop - 1].offset + 1


def _times(fetches: Iterable[_Fetch], n: int) -> NDArray[np.int64]:
    """Timestamps (ms) of the first n records, each at least that of the record before it."""
    records = islice(chain.from_iterable(fetch.records for fetch in fetches), n)
    times = np.fromiter(map(_timestamp, records), np.int64)
    return np.maximum.accumulate(times)


def _size(records: Sequence[ConsumerRecord]) -> int:
    return sum(map(len, filter(None, map(_value, records))))


def _within(fetch: Sequence[ConsumerRecord], start: int, stop: int, most: int) -> tuple[int, int]:
    """Return where to stop, behind the record that reaches `most` bytes, and how many those are."""
    size = 0
    for i in range(start, stop):
        size += len(fetch[i].value or b"")
        if size >= most:
            return i + 1, size
    return stop, size
