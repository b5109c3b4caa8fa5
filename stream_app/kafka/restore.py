"""Reading a partition's changelog back into profiles."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from stream_app.engine.catalogue import Program
from stream_app.engine.changelog import META, STORE, ChangelogError, Loader
from stream_app.engine.cold.profiles import Mark
from stream_app.engine.versions import Unready
from stream_app.kafka.errors import Fatal, Refusal
from stream_app.kafka.local import Local, Stores
from stream_app.kafka.rights import failed
from stream_app.kafka.standing import check_siblings

log = logging.getLogger(__name__)

_FETCH_BYTES: Final = 8 * 1024 * 1024
_POLL_MS: Final = 500
#: Records taken in one go: the event loop has other things to do meanwhile.
_RECORDS_AT_ONCE: Final = 5_000


async def restore(
    connection: Mapping[str, Any],
    changelog: TopicPartition,
    program: Program,
    partitions: int,
    timeout_s: float,
    progress: Callable[[], None],
    stores: Stores | None = None,
) -> Loader:
    """Read the committed changelog from its first record to its last stable offset.

    With `stores` it begins where the partition's local store stands, if that is a place in this
    changelog.

    The caller holds the partition's newest producer epoch, so nothing can be added meanwhile.
    Calls `progress` whenever records were read. Raises Fatal when none is for `timeout_s`, Refusal
    for a changelog not to be trusted.
    """
    local = await stores.open(program, changelog.partition, partitions) if stores else None
    loader = local.loader if local else Loader(program, changelog.partition, partitions)
    consumer = _new_consumer(connection)
    whole = False
    try:
        async with asyncio.timeout(timeout_s) as limit:

            def moved() -> None:
                progress()
                limit.reschedule(asyncio.get_running_loop().time() + timeout_s)

            await consumer.start()
            consumer.assign([changelog])
            if local is not None and local.mark is not None:
                loader = await _read_on(consumer, changelog, local, local.mark, moved)
            else:
                await _read(consumer, changelog, loader, moved)
            loader.finish()
            if loader.meta is None:
                await check_siblings(connection, consumer, changelog, partitions, timeout_s)
            whole = True
    except TimeoutError as error:
        raise Fatal(
            f"restoring {changelog.topic} partition {changelog.partition}: no record was read for "
            f"{timeout_s:.0f} s"
        ) from error
    except Unready as error:
        raise Refusal(str(error)) from error
    except (ChangelogError, ValueError) as error:
        raise Refusal(
            f"{error}. Restore {changelog.topic} from a backup, or delete it together with the "
            "application's outputs to start anew from the inputs that are still kept"
        ) from error
    except KafkaError as error:
        raise failed(f"restoring {changelog.topic} failed", error) from error
    finally:
        if not whole:
            given_up = local.loader if local else loader
            list(given_up.profiles.leave(settled=False))
        await consumer.stop()
    return loader


def _new_consumer(connection: Mapping[str, Any]) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **connection,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,
        fetch_max_bytes=_FETCH_BYTES,
    )


async def _read(
    consumer: AIOKafkaConsumer,
    changelog: TopicPartition,
    loader: Loader,
    moved: Callable[[], None],
    first: int | None = None,
) -> None:
    """Read from offset `first`, by default from the beginning."""
    # With read_committed the end offset is the last stable one. Markers of transactions take
    # offsets too: the position passes them although no record is returned for them.
    end = (await consumer.end_offsets([changelog]))[changelog]
    if first is None:
        await consumer.seek_to_beginning(changelog)
    else:
        consumer.seek(changelog, first)
    _take_pairs(consumer, changelog)
    while await consumer.position(changelog) < end:
        fetched = await consumer.getmany(
            changelog, timeout_ms=_POLL_MS, max_records=_RECORDS_AT_ONCE
        )
        for pairs in fetched.values():
            loader.add(pairs)
            moved()


async def _read_on(
    consumer: AIOKafkaConsumer,
    changelog: TopicPartition,
    local: Local,
    mark: Mark,
    moved: Callable[[], None],
) -> Loader:
    """Read on from `mark`, or from the beginning where the changelog is not the one it is of.

    One that was deleted and made anew, or is of another cluster, does not have the record that the
    store wrote there when it was begun. Nor has one where another store's superseded it, and it was
    compacted away: then nothing tells whose it is.
    """
    first = (await consumer.beginning_offsets([changelog]))[changelog]
    end = (await consumer.end_offsets([changelog]))[changelog]
    name, own = local.name, False
    if name.offset is not None and first <= name.offset < mark.offset + 2 <= end:
        wrote = await _record_at(consumer, changelog, name.offset)
        stands = await _record_at(consumer, changelog, mark.offset)
        # That of the last round may have been superseded and compacted away.
        own = wrote == (STORE, name.text.encode()) and stands in (None, (META, mark.meta))
    if own:
        await _read(consumer, changelog, local.loader, moved, mark.offset)
        log.info(
            "Partition %d: read on from offset %d of %s, where its local store stands",
            changelog.partition, mark.offset, changelog.topic,
            extra={"partition": changelog.partition},
        )  # fmt: skip
        return local.loader
    loader = local.anew(f"{changelog.topic} does not have what it was begun with")
    await _read(consumer, changelog, loader, moved)
    return loader


async def _record_at(
    consumer: AIOKafkaConsumer, changelog: TopicPartition, offset: int
) -> tuple[bytes, bytes | None] | None:
    """The record at an offset, None where it was compacted away."""
    consumer.seek(changelog, offset)
    while await consumer.position(changelog) == offset:
        fetched = await consumer.getmany(changelog, timeout_ms=_POLL_MS, max_records=1)
        for record in fetched.get(changelog, ()):
            return (record.key, record.value) if record.offset == offset else None
    return None


def _take_pairs(consumer: AIOKafkaConsumer, changelog: TopicPartition) -> None:
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
    consumer._fetcher._records = _PairsOnly()


class _PairsOnly(OrderedDict[TopicPartition, Any]):
    """Fetches of a consumer, which come out as (key, value) instead of ConsumerRecord.

    Making the eleven fields of that takes longer than all the rest of a restore.
    """

    def __setitem__(self, tp: TopicPartition, fetched: Any) -> None:
        if isinstance(fetched, FetchResult):
            fetched._partition_records._consumer_record = _pair
        super().__setitem__(tp, fetched)


def _pair(tp: TopicPartition, record: Any) -> tuple[bytes, bytes | None]:
    return record.key, record.value
