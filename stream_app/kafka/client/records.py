"""Records as they are read, without what costs most and helps nobody.

aiokafka makes a dataclass of eleven fields of each record, two of which are lengths, and has each
pass four functions and generators of Python on its way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import GEN_CREATED, getgeneratorstate
from typing import Any, Final

import msgspec
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords

Headers = Sequence[tuple[str, bytes]]


class Record(msgspec.Struct, gc=False):
    """What stands for aiokafka's ConsumerRecord; `timestamp` is epoch milliseconds.

    Garbage collection needs no look at it: nothing in it can refer back to it.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Headers


if not (
    callable(getattr(PartitionRecords, "_consumer_record", None))
    and callable(getattr(PartitionRecords, "_unpack_records", None))
    and callable(getattr(FetchResult, "getall", None))
):
    raise RuntimeError("this aiokafka makes records otherwise; use a version from the lock file")
_READS: Final = PartitionRecords._consumer_record
_GETS: Final = FetchResult.getall


def register() -> None:
    """Have all consumers of this process that do not decode make such records."""
    PartitionRecords._consumer_record = _record
    FetchResult.getall = _getall


def _record(self: Any, tp: Any, r: Any) -> Any:
    if self._key_deserializer or self._value_deserializer:
        return _READS(self, tp, r)
    topic, partition = tp
    return Record(
        topic, partition, r.offset, r.timestamp, r.timestamp_type, r.key, r.value, r.headers
    )


def _getall(self: Any, max_records: int | None = None) -> Any:
    """All of a fetch at once, where nothing of it was taken yet, else as aiokafka does it."""
    fetched = self._partition_records
    if (
        max_records is not None
        or fetched._key_deserializer
        or fetched._value_deserializer
        or getgeneratorstate(fetched._records_iterator) != GEN_CREATED
    ):
        return _GETS(self, max_records)
    if not self.check_assignment(self._topic_partition):
        return []
    passing = _Passing(fetched._records, fetched)
    fetched._records = passing
    topic, partition = self._topic_partition
    # It decides which batches count (control records, aborted transactions, checksums), and gets
    # none of their records.
    list(fetched)
    # Both would keep each other, and the fetch's bytes, until the collector comes.
    fetched._records = None
    found: list[Record] = []
    for batch, first in passing.batches:
        found += [
            Record(
                topic, partition, r.offset, r.timestamp, r.timestamp_type, r.key, r.value, r.headers
            )
            for r in batch
            if r.offset >= first
        ]
    self._update_position()
    self._partition_records = None
    return found


class _Passing:
    """The batches of a fetch, each of which notes when its records are asked for, and gives none.

    `batches` are those, with the offset that was next.
    """

    def __init__(self, records: Any, fetched: Any) -> None:
        self.batches: list[tuple[Any, int]] = []
        self.has_next = records.has_next
        self._records = records
        self._fetched = fetched

    def next_batch(self) -> Any:
        return _Noted(self._records.next_batch(), self)

    def note(self, batch: Any) -> None:
        self.batches.append((batch, self._fetched.next_fetch_offset))


class _Noted:
    def __init__(self, batch: Any, passing: _Passing) -> None:
        self._batch = batch
        self._passing = passing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        # What a control batch says is read before it is passed over.
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        self._passing.note(self._batch)
        return iter(())
