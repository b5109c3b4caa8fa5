"""The one partition of a topic that everybody reads in the same order, from its first record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from stream_app.kafka.client.closing import close_within
from stream_app.kafka.client.rights import failed
from stream_app.kafka.errors import Fatal

Answer = TypeVar("Answer")

_POLL_MS: Final = 200
_CLOSE_S: Final = 2.0
_FETCH_BYTES: Final = 8 * 1024 * 1024


class Entry(NamedTuple):
    """A record as it lies in the log; without a value it is a tombstone."""

    offset: int
    key: bytes
    value: bytes | None


class Log:
    """Committed records of `topic`, read outside any group; made inside a running loop.

    Whatever has no answer within `timeout_s` raises Fatal. So does a log whose offsets went back:
    it was deleted and made anew.
    """

    def __init__(self, connection: Mapping[str, Any], topic: str, timeout_s: float) -> None:
        self._tp = TopicPartition(topic, 0)
        self._timeout_s = timeout_s
        self._next = 0
        self._consumer = AIOKafkaConsumer(
            **connection,
            group_id=None,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_bytes=_FETCH_BYTES,
        )

    @property
    def topic(self) -> str:
        """Its name."""
        return str(self._tp.topic)

    async def open(self) -> int:
        """Connect, go to the first record kept, and return its offset."""
        await self._answered(self._consumer.start(), "connecting")
        self._consumer.assign([self._tp])
        firsts = self._consumer.beginning_offsets([self._tp])
        self._next = (await self._answered(firsts, "the first offset"))[self._tp]
        self._consumer.seek(self._tp, self._next)
        return self._next

    def skip_to(self, offset: int) -> None:
        """Go on from `offset`, which is not before the next one."""
        self._next = max(self._next, offset)
        self._consumer.seek(self._tp, self._next)

    async def end(self) -> int:
        """The last stable offset: beyond all that is committed."""
        ends = self._consumer.end_offsets([self._tp])
        return int((await self._answered(ends, "the last offset"))[self._tp])

    async def position(self) -> int:
        """The next offset; markers of transactions are passed although no record comes of them."""
        return int(await self._answered(self._consumer.position(self._tp), "the position"))

    async def take(self, most: int) -> list[Entry]:
        """Up to `most` records that come next; none after a moment without any."""
        polled = self._consumer.getmany(self._tp, timeout_ms=_POLL_MS, max_records=most)
        found = (await self._answered(polled, "records")).get(self._tp, [])
        entries = [Entry(record.offset, record.key or b"", record.value) for record in found]
        if entries:
            if entries[0].offset < self._next:
                raise Fatal(
                    f"reading {self._tp.topic} fell from offset {self._next} to "
                    f"{entries[0].offset}: it was deleted and made anew, or cut"
                )
            self._next = entries[-1].offset + 1
        return entries

    async def close(self) -> None:
        """Disconnect."""
        closing = close_within(self._consumer.stop(), _CLOSE_S)
        await self._answered(closing, "disconnecting")

    async def _answered(self, question: Awaitable[Answer], what: str) -> Answer:
        try:
            # Not wait_for: until Python 3.12 it can swallow the cancellation of a time limit around
            # it, and whoever asks again and again would do so for ever.
            async with asyncio.timeout(self._timeout_s):
                return await question
        except TimeoutError as error:
            raise Fatal(
                f"{self._tp.topic}: no answer for {self._timeout_s:.0f} s ({what}): are the "
                "brokers away?"
            ) from error
        except KafkaError as error:
            raise failed(f"{self._tp.topic}: {what} failed", error) from error


async def read_all(log: Log, timeout_s: float, suffix: bytes = b"") -> dict[bytes, bytes]:
    """The last value of each key that ends so, up to the end as it is now; deleted keys left out.

    Raises Fatal when nothing was read for `timeout_s`.
    """
    found: dict[bytes, bytes] = {}
    end, loop = await log.end(), asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s) as limit:
            while await log.position() < end:
                entries = await log.take(1_000)
                if entries:
                    limit.reschedule(loop.time() + timeout_s)
                for _, key, value in entries:
                    found.pop(key, None)
                    if value is not None and key.endswith(suffix):
                        found[key] = value
    except TimeoutError as error:
        raise Fatal(f"{log.topic}: no record was read for {timeout_s:.0f} s") from error
    return found
