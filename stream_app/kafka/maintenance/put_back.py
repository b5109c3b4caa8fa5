"""State from the files of a backup into empty topics, so that workers go on from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from stream_app.engine.changelog import META, Meta
from stream_app.engine.versions import Unready, check_format
from stream_app.kafka.client.closing import leave_within
from stream_app.kafka.client.committed import Committed, committed
from stream_app.kafka.client.rights import failed
from stream_app.kafka.client.writer import MAX_BATCH_BYTES
from stream_app.kafka.errors import Fatal, Refusal
from stream_app.kafka.input_topics.bounds import check_bounds
from stream_app.kafka.input_topics.inputs import ROUTED_NAME, partition_of
from stream_app.kafka.input_topics.positions import partitions_of_inputs, spread
from stream_app.kafka.maintenance.archive import (
    ArchiveError,
    Kept,
    Manifest,
    Part,
    read_manifest,
    read_part,
    verify,
)
from stream_app.kafka.maintenance.backup import (
    Progress,
    input_names,
    partitions_of,
    refuse_running,
    state_topics,
)
from stream_app.kafka.topics import TopicPlan, ensure_topics
from stream_app.settings import Settings

_CLOSE_S: Final = 5.0
_UNCONFIRMED: Final = 16


async def put_back(
    settings: Settings,
    folder: Path,
    *,
    new_inputs: bool = False,
    progress: Progress = lambda role, records: None,
) -> Manifest:
    """Create what is missing of the topics, and write all state of `folder` into empty ones.

    The inputs have to hold what comes next for each partition; with `new_inputs` reading begins at
    their first record instead. Raises ArchiveError, before anything is written, where workers
    would not go on well. When it is broken off, the changelog has no `\\0meta`, which no worker
    accepts: delete the topics that were written, and begin again.
    """
    manifest = read_manifest(folder)
    roles = {part.role for part in manifest.parts}
    learning = "models" in roles
    _check_number(manifest, settings.partitions, "the settings want")
    await asyncio.to_thread(verify, folder, manifest, _check_meta)
    await refuse_running(settings, learning=learning)
    await ensure_topics(settings.client_options(), TopicPlan.of(settings, learning=learning))
    topics = state_topics(settings, learning=learning, routed=settings.route == "auto")
    counts = await partitions_of(settings, topics.values(), learning=learning)
    _check_number(manifest, counts[settings.changelog_topic], "the topics have")
    _check_routed(manifest, settings)
    async with committed(settings.client_options(), settings.restore_timeout_s) as reader:
        await _refuse_filled(reader, counts)
        begins = manifest.next
        if new_inputs:
            begins = await _begins(reader, settings, manifest)
        else:
            await _check_inputs(reader, settings, manifest)
    async with _producer(settings) as producer:
        for role, topic in topics.items():
            written = 0
            for part in manifest.parts:
                if part.role == role:
                    at = TopicPartition(topic, part.number)
                    kept: Iterable[Kept] = read_part(folder, part)
                    if role == "changelog":
                        kept = _meta_last(kept, _from_zero(begins[part.number]))
                    within_s = settings.restore_timeout_s
                    written += await _write(producer, at, kept, within_s)
            progress(role, written)
    return manifest


def _check_meta(part: Part, kept: Kept) -> None:
    """Refuse what this version cannot go on from; a newer one's would lose what only that knows."""
    if part.role == "changelog" and kept.key == META and kept.value:
        try:
            meta = msgspec.json.decode(kept.value, type=Meta)
            check_format(meta.format, part.number)
        except (msgspec.DecodeError, Unready) as error:
            raise ArchiveError(f"{part.file}: {error}") from error


def _check_routed(manifest: Manifest, settings: Settings) -> None:
    waiting = sum(part.records for part in manifest.parts if part.role == ROUTED_NAME)
    if waiting and settings.route == "never":
        raise ArchiveError(
            f"the backup holds {waiting} events on the way to their users: set "
            "STREAM_APP_ROUTE=auto"
        )


def _from_zero(begin: Mapping[str, int]) -> dict[str, int]:
    """The offsets where what was routed and had not arrived is all that the topic holds."""
    return {name: 0 if name == ROUTED_NAME else offset for name, offset in begin.items()}


def _check_number(manifest: Manifest, number: int, whose: str) -> None:
    if number != manifest.partitions:
        raise ArchiveError(
            f"the backup is of {manifest.partitions} partitions, {whose} {number}: a user's "
            f"partition is where his key belongs among {manifest.partitions}"
        )


async def _refuse_filled(reader: Committed, counts: Mapping[str, int]) -> None:
    parts = [TopicPartition(t, number) for t, count in counts.items() for number in range(count)]
    firsts, ends = await reader.firsts(parts), await reader.ends(parts)
    filled = sorted({part.topic for part in parts if firsts[part] < ends[part]})
    if filled:
        raise ArchiveError(
            f"not empty: {', '.join(filled)}. State is put into topics that nothing was written "
            "to yet: delete these, if nobody needs what they hold, or set another "
            "STREAM_APP_APP_ID and other outputs"
        )


async def _check_inputs(reader: Committed, settings: Settings, manifest: Manifest) -> None:
    """Each input has to hold what comes next, as a worker asks at its start."""
    names = input_names(manifest, settings)
    following = {
        TopicPartition(names[topic], partition): offset
        for number, of_task in enumerate(manifest.next)
        for name, offset in of_task.items()
        for topic, partition in [partition_of(name, number)]
        if topic in names
    }
    firsts, ends = await reader.firsts(following), await reader.ends(following)
    for part, offset in following.items():
        try:
            check_bounds(part, offset, firsts[part], ends[part])
        except Refusal as error:
            raise ArchiveError(
                f"{error}. Or give --new-inputs: reading begins at the first record of each "
                "input; what came between the backup and that is lost, unless its producers "
                "send it again"
            ) from error


async def _begins(
    reader: Committed, settings: Settings, manifest: Manifest
) -> list[dict[str, int]]:
    inputs = (settings.clicks_topic, settings.purchases_topic)
    counts = await partitions_of(settings, inputs, learning=False)
    firsts = await reader.firsts(partitions_of_inputs(settings, counts))
    return spread(settings, manifest.partitions, firsts)


def _meta_last(kept: Iterable[Kept], begin: Mapping[str, int]) -> Iterable[Kept]:
    """The changelog with one `\\0meta`, at its end, so that a part of it is never taken for all."""
    last = None
    for record in kept:
        if record.key == META:
            last = record
        else:
            yield record
    if last is not None and last.value is not None:
        meta = msgspec.json.decode(last.value, type=Meta)
        meta = msgspec.structs.replace(meta, next=dict(begin))
        yield last._replace(value=msgspec.json.encode(meta))


async def _write(
    producer: AIOKafkaProducer, at: TopicPartition, kept: Iterable[Kept], within_s: float
) -> int:
    """Write records in order, and return how many once all are confirmed.

    Raises Fatal where Kafka does not confirm any for `within_s`.
    """
    sent, written, batch = [], 0, producer.create_batch()
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(within_s) as limit:
            for record in kept:
                while (
                    batch.append(
                        key=record.key,
                        value=record.value,
                        timestamp=record.at,
                        headers=record.headers,
                    )
                    is None
                ):
                    sent.append(await producer.send_batch(batch, at.topic, partition=at.partition))
                    batch = producer.create_batch()
                    if len(sent) > _UNCONFIRMED:
                        await asyncio.gather(*sent)
                        sent.clear()
                        limit.reschedule(loop.time() + within_s)
                written += 1
            if batch.record_count():
                sent.append(await producer.send_batch(batch, at.topic, partition=at.partition))
            await asyncio.gather(*sent)
    except TimeoutError as error:
        where = f"{at.topic} partition {at.partition}"
        raise Fatal(f"writing {where}: no answer for {within_s:.0f} s") from error
    except KafkaError as error:
        raise failed(f"writing {at.topic} partition {at.partition} failed", error) from error
    return written


@asynccontextmanager
async def _producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        **settings.client_options(),
        enable_idempotence=True,
        compression_type=settings.codec,
        max_batch_size=MAX_BATCH_BYTES // 4,
        max_request_size=2 * MAX_BATCH_BYTES,
        linger_ms=0,
    )
    try:
        await producer.start()
        yield producer
    finally:
        await leave_within(producer.stop(), _CLOSE_S)
