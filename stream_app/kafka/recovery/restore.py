"""Reading a partition's changelog back into profiles."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from stream_app.engine.catalogue import Program
from stream_app.engine.changelog import ChangelogError, Loader
from stream_app.engine.versions import Unready
from stream_app.kafka.client.rights import failed
from stream_app.kafka.errors import Fatal, Refusal
from stream_app.kafka.partition.turns import Turns
from stream_app.kafka.recovery.copies import Copy, open_copy
from stream_app.kafka.recovery.local import Stores
from stream_app.kafka.recovery.reader import Reader
from stream_app.kafka.recovery.standing import check_siblings

log = logging.getLogger(__name__)

_FETCH_BYTES: Final = 8 * 1024 * 1024
#: Records put in at a time: about as long as a small fold, in which nothing else runs.
_RECORDS_AT_ONCE: Final = 1_000


async def restore(
    connection: Mapping[str, Any],
    changelog: TopicPartition,
    program: Program,
    partitions: int,
    timeout_s: float,
    progress: Callable[[], None],
    turns: Turns,
    stores: Stores | None = None,
    standby: Copy | None = None,
) -> Loader:
    """Read the committed changelog up to its last stable offset.

    It begins where `standby` stands, or with `stores` the partition's local store, if that is a
    place in this changelog; else at its first record.

    The caller holds the partition's newest producer epoch, so nothing can be added meanwhile.
    Calls `progress` whenever records were read, and puts them in a few at a time, each at its turn.
    Raises Fatal when none is for `timeout_s`, Refusal for a changelog not to be trusted.
    """
    copy = standby or await open_copy(stores, program, changelog.partition, partitions)
    whole = False
    reader = Reader(connection, changelog, _FETCH_BYTES)
    try:
        with _told(changelog, timeout_s):
            async with asyncio.timeout(timeout_s) as limit:

                def moved() -> None:
                    progress()
                    limit.reschedule(asyncio.get_running_loop().time() + timeout_s)

                began = copy.stands
                await reader.start()
                await _read(reader, copy, turns, moved)
                if began and not copy.is_whole:
                    copy.begin_anew("compaction has taken deletions that it did not see")
                    await _read(reader, copy, turns, moved)
                if copy.loader.meta is None:
                    kafka = reader.consumer
                    await check_siblings(connection, kafka, changelog, partitions, timeout_s)
        whole = True
    finally:
        if not whole:
            copy.close()
        await reader.stop()
    return copy.loader


async def _read(reader: Reader, copy: Copy, turns: Turns, moved: Callable[[], None]) -> None:
    stood, stands, read = copy.offset, copy.stands, 0
    begun = await copy.begin(reader)
    # With read_committed the end is the last stable offset. Markers of transactions take offsets
    # too: the position passes them although no record is returned for them.
    _, end = await reader.bounds()
    while await reader.position() < end:
        pairs = await reader.take(_RECORDS_AT_ONCE)
        if pairs:
            # What was fetched already comes without any wait, and so would all of it in one go.
            await turns.next()
            copy.add(pairs, await reader.position(), reader.last)
            read += len(pairs)
            moved()
    for _ in copy.loader.finishing():
        moved()
        await turns.next()
    if stands and begun == stood:
        changelog = reader.changelog
        log.info(
            "Partition %d: read on from offset %d of %s, where its %s stands: %d records",
            changelog.partition, begun, changelog.topic, stands, read,
            extra={"partition": changelog.partition},
        )  # fmt: skip


@contextmanager
def _told(changelog: TopicPartition, timeout_s: float) -> Iterator[None]:
    """What goes wrong inside is told with what can be done."""
    try:
        yield
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
