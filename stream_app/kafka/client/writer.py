"""One partition's transactional producer: all outputs of a round, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from itertools import chain, zip_longest
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalOperation, KafkaError
from aiokafka.producer import sender

from stream_app.domain.masked import masked
from stream_app.kafka.client.batch import CompressedBatch, compress
from stream_app.kafka.client.rights import failed
from stream_app.kafka.errors import Fatal

#: Largest batch in bytes before compression; topics are made to take it (see topics/spec.py).
MAX_BATCH_BYTES: Final = 4 * 1024 * 1024

#: After a commit the broker writes its markers, and refuses the next transaction until it has;
#: aiokafka asks again after so long (s), by default 20 ms: most of a short round.
RETRY_S: Final = 0.004
sender.BACKOFF_OVERRIDE = RETRY_S


class Outgoing(NamedTuple):
    """A record to write, to the writer's partition unless its batch has a `Target`."""

    key: bytes
    value: bytes | memoryview | None
    headers: list[tuple[str, bytes]] = []  # noqa: RUF012 - never changed; aiokafka wants a list


class Target(NamedTuple):
    """A partition that is not the writer's own."""

    topic: str
    partition: int


#: Filled batches by topic or by target, none of them empty.
Packed = Mapping[str | Target, list[CompressedBatch]]


class TransactionWriter:
    """Writes to partition `number` of every output topic, and to targets, one transaction a call.

    A broker that does not answer is given up after `request_timeout_s`. A transaction is given up
    after `timeout_s`, here and by the broker, which bounds how long a dead owner's records hold up
    readers of committed data. Topics in `single` have one partition, which all writers share.
    Opening takes over the transactional id: it ends a dead owner's open transaction and fences an
    owner who still lives. Any failure raises Fatal and leaves the transaction uncommitted.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        transactional_id: str,
        number: int,
        *,
        timeout_s: float,
        request_timeout_s: float = float("inf"),
        compression: str | None = "zstd",
        single: Collection[str] = (),
    ) -> None:
        self._producer = AIOKafkaProducer(
            **connection,
            transactional_id=transactional_id,
            transaction_timeout_ms=int(timeout_s * 1000),
            request_timeout_ms=int(min(request_timeout_s, timeout_s) * 1000),
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=2 * MAX_BATCH_BYTES,
            linger_ms=0,
        )
        self._compression = compression
        self._number = number
        self._single = frozenset(single)
        self._timeout_s = timeout_s
        self.transactional_id = transactional_id

    async def open(self, timeout_s: float) -> None:
        """Connect and get a new epoch within `timeout_s`, else raise Fatal."""
        try:
            await asyncio.wait_for(self._producer.start(), timeout_s)
        except TimeoutError as error:
            raise Fatal(
                f"no producer epoch for {self.transactional_id} within {timeout_s:.0f} s: is the "
                "broker's transaction coordinator available?"
            ) from error
        except KafkaError as error:
            raise failed(f"the producer of {self.transactional_id} did not open", error) from error

    def pack(self, outputs: Mapping[str | Target, Iterable[Outgoing]]) -> Packed:
        """Fill batches with the records of `outputs`; Fatal for one larger than a batch."""
        packed = {place: self._batches(place, records) for place, records in outputs.items()}
        return {place: batches for place, batches in packed.items() if batches}

    async def write(self, packed: Packed) -> int | None:
        """Commit what was packed in one transaction, or raise Fatal.

        Returns the offset of the first record of the first place, where the broker tells.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                await compress(chain.from_iterable(packed.values()))
                return await self._write(packed)
        except TimeoutError as error:
            raise Fatal(
                f"a transaction of {self.transactional_id} took over {self._timeout_s:.0f} s"
            ) from error
        except (KafkaError, IllegalOperation) as error:
            raise failed(
                f"a transaction of {self.transactional_id} failed and was not committed", error
            ) from error

    async def _write(self, packed: Packed) -> int | None:
        await self._producer.begin_transaction()
        manager = getattr(self._producer, "_txn_manager", None)
        ended = manager.wait_for_transaction_end() if manager is not None else None
        try:
            return await self._send(packed)
        except (KafkaError, IllegalOperation) as error:
            # What is met first is often what came of it: of a right that is missing, "not in
            # transaction".
            first = ended.exception() if ended is not None and ended.done() else None
            if first is None or first is error:
                raise
            raise first from error

    async def _send(self, packed: Packed) -> int | None:
        sent = []
        # First one batch of every topic, so that a single request adds all partitions to the
        # transaction; a topic's further batches wait for the one before.
        for wave in zip_longest(*packed.values()):
            for place, batch in zip(packed, wave, strict=True):
                if batch is not None:
                    topic, number = self._target(place)
                    sent.append(await self._producer.send_batch(batch, topic, partition=number))
        # aiokafka would commit although a batch failed; gather raises the first failure instead.
        written = await asyncio.gather(*sent)
        await self._producer.commit_transaction()
        first = written[0] if written else None
        # -1 for a batch that the broker had already.
        return first.offset if first is not None and first.offset >= 0 else None

    def _target(self, place: str | Target) -> Target:
        if isinstance(place, Target):
            return place
        return Target(place, 0 if place in self._single else self._number)

    def _batches(self, place: str | Target, records: Iterable[Outgoing]) -> list[CompressedBatch]:
        batches: list[CompressedBatch] = []
        left = iter(records)
        record = next(left, None)
        while record is not None:
            key, value, _ = record
            # A batch takes its first record whatever its size.
            size = len(key) + len(value or b"")
            if size > MAX_BATCH_BYTES:
                raise Fatal(
                    f"a record of {size} bytes with key {masked(key)} for "
                    f"{self._target(place).topic} is larger than a batch of {MAX_BATCH_BYTES} bytes"
                )
            batch = CompressedBatch(MAX_BATCH_BYTES, self._compression)
            batches.append(batch)
            record = batch.fill(chain((record,), left))
        return batches

    async def close(self, timeout_s: float) -> None:
        """Disconnect; never called while a transaction is open."""
        await asyncio.wait_for(self._producer.stop(), timeout_s)
