"""Records as they are read and batches as they are filled, without what costs most and helps none.

aiokafka makes a dataclass of eleven fields of each record that it read, two of which are lengths;
and each record that is written passes three functions of Python on its way into a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec
from aiokafka.consumer import fetcher
from aiokafka.producer.message_accumulator import BatchBuilder

Headers = Sequence[tuple[str, bytes]]
#: Key, value and headers of a record to write.
Written = TypeVar("Written", bound=tuple[bytes, bytes | memoryview | None, Headers])

if not callable(getattr(fetcher.PartitionRecords, "_consumer_record", None)):
    raise RuntimeError("this aiokafka makes records otherwise; use a version from the lock file")
_READS: Final = fetcher.PartitionRecords._consumer_record


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


def register() -> None:
    """Have all consumers of this process that do not decode make such records."""
    fetcher.PartitionRecords._consumer_record = _record


def _record(self: Any, tp: Any, read: Any) -> Any:
    if self._key_deserializer or self._value_deserializer:
        return _READS(self, tp, read)
    return Record(
        tp.topic,
        tp.partition,
        read.offset,
        read.timestamp,
        read.timestamp_type,
        read.key,
        read.value,
        read.headers,
    )


def fill(batch: BatchBuilder, records: Iterable[Written]) -> Written | None:
    """Add records to an open batch until one does not fit, and return that one; None: all fit.

    Does what `batch.append` does for each, whose timestamp is now.
    """
    append, offset = batch._builder.append, batch._relative_offset
    left = None
    for record in records:
        key, value, headers = record
        if append(offset, None, key, value, headers) is None:
            batch.close()
            left = record
            break
        offset += 1
    batch._relative_offset = offset
    return left
