"""What commands share that change an application's state while nobody is at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError

from stream_app.engine.changelog import Meta, encode_meta
from stream_app.engine.held import Held
from stream_app.kafka.client.administration import administration
from stream_app.kafka.client.closing import close_within
from stream_app.kafka.client.committed import Committed, committed
from stream_app.kafka.client.rights import failed
from stream_app.kafka.client.writer import MAX_BATCH_BYTES, Outgoing, TransactionWriter
from stream_app.kafka.doctor.look import groups
from stream_app.kafka.errors import Fatal
from stream_app.kafka.input_topics.bounds import check_bounds
from stream_app.kafka.input_topics.positions import partitions_of_inputs, positions
from stream_app.kafka.recovery.standing import metas
from stream_app.settings import Settings

_CLOSE_S: Final = 5.0
#: Kafka ends a transaction that a dead process left open after this (s), and looks every ten.
_OPEN_S: Final = 75.0
_WAIT_S: Final = 0.05

#: Told of each step: what was done, and to what.
Say = Callable[[str, str], None]
#: Records to write, by partition.
Outputs = Mapping[TopicPartition, Collection[Outgoing]]


class OfflineError(Exception):
    """The state cannot be changed now; the message says why, and what is to be done."""


class Lag(NamedTuple):
    """Events of an input that nobody has read yet."""

    part: TopicPartition
    events: int


async def refuse_members(settings: Settings) -> None:
    """Raises OfflineError while a worker is a member of the group."""
    async with administration(settings) as admin:
        found = (await groups(admin, [settings.app_id]))[settings.app_id]
    if found.refused:
        raise OfflineError(
            f"this user may not look at group {found.name}, so whether a worker runs is not known"
        )
    if found.hosts:
        raise OfflineError(
            f"{len(found.hosts)} worker(s) of group {found.name} are at work on "
            f"{', '.join(found.hosts)}: stop them first. One that was killed, or "
            "has a name of its own (STREAM_APP_INSTANCE_ID), counts until "
            "STREAM_APP_SESSION_TIMEOUT_S is over"
        )


async def take_over(settings: Settings, counts: Mapping[str, int]) -> None:
    """End what somebody before us has left open or half committed; who still works is fenced.

    `counts` are the partitions of the topics of the state.
    """
    async with transactions(settings):
        await settled(settings, counts)


async def settled(settings: Settings, counts: Mapping[str, int]) -> None:
    """Return once readers see all that was committed: markers follow a commit a moment later.

    Raises OfflineError where a transaction stays open.
    """
    parts = [TopicPartition(topic, n) for topic, count in counts.items() for n in range(count)]
    options, wait_s = settings.client_options(), settings.request_timeout_s
    until = asyncio.get_running_loop().time() + _OPEN_S
    async with (
        committed(options, wait_s) as stable,
        committed(options, wait_s, "read_uncommitted") as every,
    ):
        while (ends := await every.ends(parts)) != (last := await stable.ends(parts)):
            if asyncio.get_running_loop().time() > until:
                open_ = sorted(f"{p.topic} {p.partition}" for p in parts if ends[p] != last[p])
                raise OfflineError(f"a transaction stays open on {', '.join(open_)}: who writes?")
            await asyncio.sleep(_WAIT_S)


async def held(reader: Committed, topic: str, number: int) -> Held:
    """All that partition `number` of the changelog holds."""
    found, part = Held(number), TopicPartition(topic, number)
    async for records in reader.read(await reader.firsts([part])):
        found.add((record.key, record.value) for record in records)
    return found


async def unread(
    reader: Committed, settings: Settings, metas: Mapping[int, Meta], counts: Mapping[str, int]
) -> list[Lag]:
    """What each input has beyond the state; a Refusal where retention has deleted some of it.

    `counts` are the partitions of the topics. An input partition of which the state knows nothing
    counts from its first record.
    """
    parts = partitions_of_inputs(settings, counts)
    known = positions(settings, metas)
    firsts, ends = await reader.firsts(parts), await reader.ends(parts)
    starts = {part: known.get(part, firsts[part]) for part in parts}
    for part, start in starts.items():
        check_bounds(part, start, firsts[part], ends[part])
    found = dict.fromkeys(starts, 0)
    # Markers of transactions take offsets too: only records count.
    async for records in reader.read(starts, ends):
        for record in records:
            found[TopicPartition(record.topic, record.partition)] += 1
    return [Lag(part, count) for part, count in sorted(found.items()) if count]


async def begin(settings: Settings, command: str, partitions: int) -> dict[int, Meta]:
    """Have workers refuse to start until `command` has ended, and end those that still live.

    Each partition's `\\0meta` is written under its own transactional id: who held it before is
    fenced, and who takes it afterwards reads that the state is half changed. An empty command lets
    workers start again. Returns what the last commit of each of all `partitions` said.
    """
    found = {}
    options = settings.client_options()
    async with committed(options, settings.request_timeout_s) as reader:
        for number in range(partitions):
            writer = TransactionWriter(
                options,
                f"{settings.app_id}-{number}",
                number,
                timeout_s=settings.transaction_timeout_s,
                compression=settings.codec,
            )
            try:
                await writer.open(settings.request_timeout_s)
                # Only now can nobody else commit any more.
                meta = await _last_meta(reader, settings.changelog_topic, number)
                busy = msgspec.structs.replace(meta, busy=command, partitions=partitions)
                records = [Outgoing(*encode_meta(busy))]
                await writer.write(writer.pack({settings.changelog_topic: records}))
            finally:
                await writer.close(_CLOSE_S)
            found[number] = meta
    return found


async def _last_meta(reader: Committed, changelog: str, number: int) -> Meta:
    """The last `\\0meta`; where there was no event yet, one that says so."""
    at = TopicPartition(changelog, number)
    meta, _ = (await metas(reader, [at]))[at]
    return Meta(next={}, time=0, layout="", strings=0) if meta is None else meta


class Transactions:
    """Writes to any partitions, one transaction a call; any failure raises Fatal."""

    def __init__(self, producer: AIOKafkaProducer, timeout_s: float) -> None:
        self._producer = producer
        self._timeout_s = timeout_s

    async def write(self, outputs: Outputs, before_commit: Callable[[], None]) -> None:
        """Write all or nothing."""
        try:
            async with asyncio.timeout(self._timeout_s), self._producer.transaction():
                sent: list[asyncio.Future[object]] = []
                for part, records in outputs.items():
                    sent += await self._send(part, records)
                # aiokafka would commit although a batch failed.
                await asyncio.gather(*sent)
                before_commit()
        except TimeoutError as error:
            raise Fatal(f"a transaction took over {self._timeout_s:.0f} s") from error
        except (KafkaError, IllegalOperation) as error:
            raise failed("a transaction failed and was not committed", error) from error

    async def _send(
        self, part: TopicPartition, records: Iterable[Outgoing]
    ) -> list[asyncio.Future[object]]:
        sent, batch = [], self._producer.create_batch()
        for key, value, headers in records:
            while batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                sent.append(await self._flush(part, batch))
                batch = self._producer.create_batch()
        if batch.record_count():
            sent.append(await self._flush(part, batch))
        return sent

    async def _flush(self, part: TopicPartition, batch: object) -> asyncio.Future[object]:
        future: asyncio.Future[object] = await self._producer.send_batch(
            batch, part.topic, partition=part.partition
        )
        return future


@asynccontextmanager
async def transactions(settings: Settings) -> AsyncIterator[Transactions]:
    """The one who changes the state: whoever began before is fenced, its transaction undone."""
    producer = AIOKafkaProducer(
        **settings.client_options(),
        transactional_id=f"{settings.app_id}-offline",
        transaction_timeout_ms=int(settings.transaction_timeout_s * 1000),
        compression_type=settings.codec,
        max_batch_size=MAX_BATCH_BYTES // 4,
        max_request_size=2 * MAX_BATCH_BYTES,
        linger_ms=0,
    )
    try:
        async with asyncio.timeout(settings.request_timeout_s):
            await producer.start()
        yield Transactions(producer, settings.transaction_timeout_s)
    except TimeoutError as error:
        raise Fatal(f"no epoch for writing within {settings.request_timeout_s:.0f} s") from error
    except KafkaError as error:
        raise failed("writing cannot begin", error) from error
    finally:
        await close_within(producer.stop(), _CLOSE_S)
