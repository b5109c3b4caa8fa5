"""Reading one partition of a changelog, from anywhere, as pairs of key and value."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.structs import TopicPartition

from stream_app.kafka.client.closing import leave_within

Pair = tuple[bytes, bytes | None]


class Place(NamedTuple):
    """A place in a changelog: an offset, and the record that lies there."""

    offset: int
    record: Pair


#: Of who waits for a record that is there, or for none at all.
_WAIT_MS: Final = 20
_CLOSE_S: Final = 2.0


class Reader:
    """Committed records of `changelog`, outside any group; made inside a running loop.

    Everything raises KafkaError; `take` also where the log does not have the offset any more or
    yet: it was cut, or deleted and made anew.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        changelog: TopicPartition,
        fetch_bytes: int,
        wait_ms: int = _WAIT_MS,
    ) -> None:
        """Fetch so many bytes at a time; at the end, wait so long for what comes."""
        self.changelog: Final = changelog
        self._last: Any = None
        self.consumer: Final = AIOKafkaConsumer(
            **connection,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=fetch_bytes,
            fetch_max_bytes=fetch_bytes,
            # The broker keeps a fetch that finds nothing for so long, and others wait behind it.
            fetch_max_wait_ms=wait_ms,
        )
        self._wait_ms = wait_ms

    async def start(self) -> None:
        """Connect."""
        await self.consumer.start()

    async def bounds(self) -> tuple[int, int]:
        """The first offset kept, and the last stable one: beyond all that is committed."""
        first = await self.consumer.beginning_offsets([self.changelog])
        end = await self.consumer.end_offsets([self.changelog])
        return first[self.changelog], end[self.changelog]

    async def record_at(self, offset: int) -> Pair | None:
        """The record at an offset, None where it was compacted away. To be asked before `go_to`."""
        self._seek(offset)
        while await self.position() == offset:
            found = await self.consumer.getmany(
                self.changelog, timeout_ms=self._wait_ms, max_records=1
            )
            for record in found.get(self.changelog, ()):
                return (record.key, record.value) if record.offset == offset else None
        return None

    def go_to(self, offset: int) -> None:
        """Have `take` begin at `offset`."""
        self._seek(offset)
        _take_pairs(self.consumer, self.changelog, self._pair)

    async def take(self, most: int) -> list[Pair]:
        """Up to `most` records that come next; none after a moment without any.

        It goes on waiting where markers come, which may be all that is left: look at `position`.
        """
        fetched = await self.consumer.getmany(
            self.changelog, timeout_ms=self._wait_ms, max_records=most
        )
        return list(fetched.get(self.changelog, ()))

    @property
    def last(self) -> Place | None:
        """The last record that was taken."""
        last = self._last
        return None if last is None else Place(last.offset, (last.key, last.value))

    async def position(self) -> int:
        """The next offset; markers of transactions are passed although no record comes of them."""
        return int(await self.consumer.position(self.changelog))

    @property
    def stable(self) -> int | None:
        """The last stable offset as of the last fetch that was answered."""
        found: int | None = self.consumer.last_stable_offset(self.changelog)
        return found if found is not None and found >= 0 else None

    async def stop(self) -> None:
        """Disconnect; not for longer than a moment, whatever the brokers do."""
        await leave_within(self.consumer.stop(), _CLOSE_S)

    def _seek(self, offset: int) -> None:
        if not self.consumer.assignment():
            # Not before there is a place to go to: it would be missed in the background.
            self.consumer.assign([self.changelog])
        self.consumer.seek(self.changelog, offset)

    def _pair(self, tp: TopicPartition, record: Any) -> Pair:
        self._last = record
        return record.key, record.value


def _take_pairs(
    consumer: AIOKafkaConsumer, changelog: TopicPartition, pair: Callable[..., Pair]
) -> None:
    """Have the consumer's fetches come out as pairs.

    Raises RuntimeError where aiokafka is not inside as it was: a name that is not there any more
    would be set without effect, and in its background task an error would be met by nobody.
    """
    sample = FetchResult(changelog, assignment=None, partition_records=None, backoff=0)
    for owner, name in (
        (consumer, "_fetcher"),
        (getattr(consumer, "_fetcher", None), "_records"),
        (sample, "_partition_records"),
        (PartitionRecords, "_consumer_record"),
    ):
        if not hasattr(owner, name):
            raise RuntimeError(f"this aiokafka has no {name}; use a version from the lock file")
    consumer._fetcher._records = _PairsOnly(pair)


class _PairsOnly(OrderedDict[TopicPartition, Any]):
    """Fetches of a consumer, which come out as (key, value) instead of ConsumerRecord.

    Making the eleven fields of that takes longer than all the rest of a restore.
    """

    def __init__(self, pair: Callable[..., Pair]) -> None:
        super().__init__()
        self._pair = pair

    def __setitem__(self, tp: TopicPartition, fetched: Any) -> None:
        if isinstance(fetched, FetchResult):
            fetched._partition_records._consumer_record = self._pair
        super().__setitem__(tp, fetched)
