"""Committed records of several partitions, from where one likes to the end as it is now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.structs import ConsumerRecord

from stream_app.kafka.client.closing import leave_within
from stream_app.kafka.client.refused import why_refused
from stream_app.kafka.client.rights import failed
from stream_app.kafka.errors import Fatal

Answer = TypeVar("Answer")
Offsets = Mapping[TopicPartition, int]

_POLL_MS: Final = 200
_AT_ONCE: Final = 5_000
_CLOSE_S: Final = 2.0


class Committed:
    """A reader outside of any group; whatever has no answer in `timeout_s` raises Fatal."""

    def __init__(self, consumer: AIOKafkaConsumer, timeout_s: float) -> None:
        self._consumer = consumer
        self._timeout_s = timeout_s

    async def firsts(self, parts: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The first offset kept of each."""
        return dict(await self._answered(self._consumer.beginning_offsets(list(parts))))

    async def ends(self, parts: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The last stable offset of each: beyond all that is committed."""
        return dict(await self._answered(self._consumer.end_offsets(list(parts))))

    async def since(self, parts: Iterable[TopicPartition], at: int) -> dict[TopicPartition, int]:
        """The first offset of each that is no older than `at` (epoch ms); without any, its end."""
        parts = list(parts)
        found = await self._answered(
            self._consumer.offsets_for_times({part: max(at, 0) for part in parts})
        )
        ends = await self.ends(parts)
        return {part: found[part].offset if found[part] else ends[part] for part in parts}

    async def read(
        self, starts: Offsets, ends: Offsets | None = None
    ) -> AsyncGenerator[list[ConsumerRecord[Any, Any]], None]:
        """Portions of records from `starts` on, each partition's in order, up to `ends` (now)."""
        consumer = self._consumer
        if ends is None:
            ends = await self.ends(starts)
        left = {part for part, start in starts.items() if start < ends[part]}
        consumer.assign(list(left))
        for part in left:
            consumer.seek(part, starts[part])
        quiet = asyncio.get_running_loop().time()
        while left:
            polled = await self._answered(
                consumer.getmany(*left, timeout_ms=_POLL_MS, max_records=_AT_ONCE)
            )
            now = asyncio.get_running_loop().time()
            if polled:
                quiet = now
            elif now - quiet > self._timeout_s:
                raise Fatal(f"no record was read for {self._timeout_s:.0f} s")
            for part, records in polled.items():
                yield [record for record in records if record.offset < ends[part]]
            # A position passes the markers of transactions too, which a partition may end with.
            for part in [*left]:
                if await self._answered(consumer.position(part)) >= ends[part]:
                    left.remove(part)
                    consumer.pause(part)

    async def _answered(self, question: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await question
        except TimeoutError as error:
            raise Fatal(f"Kafka did not answer for {self._timeout_s:.0f} s") from error
        except KafkaError as error:
            raise failed("reading failed", error) from error


@asynccontextmanager
async def committed(
    options: Mapping[str, Any], timeout_s: float, isolation: str = "read_committed"
) -> AsyncIterator[Committed]:
    """A reader that is connected. Raises what `why_refused` finds where no broker lets it in."""
    consumer: AIOKafkaConsumer = AIOKafkaConsumer(
        **options,
        group_id=None,
        enable_auto_commit=False,
        isolation_level=isolation,
        auto_offset_reset="earliest",
        request_timeout_ms=int(timeout_s * 1000),
    )
    try:
        try:
            async with asyncio.timeout(timeout_s):
                await consumer.start()
        except TimeoutError as error:
            raise Fatal(f"no broker let us in within {timeout_s:.0f} s") from error
        except KafkaConnectionError as error:
            raise await why_refused(options, error) from error
        yield Committed(consumer, timeout_s)
    finally:
        await leave_within(consumer.stop(), _CLOSE_S)
