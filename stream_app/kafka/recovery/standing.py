"""How the other partitions of a changelog stand, told by the last `\\0meta` of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream_app.engine.changelog import META, Meta
from stream_app.engine.versions import check_standing
from stream_app.kafka.client.committed import Committed, committed
from stream_app.kafka.errors import Fatal

#: Records from the end of a changelog among which its last `\0meta` is looked for at first; the
#: largest round has twice as many, and a marker follows it.
_TAIL: Final = 200


async def metas(
    reader: Committed, changelog: Collection[TopicPartition]
) -> dict[TopicPartition, tuple[Meta | None, int | None]]:
    """The last `\\0meta` of each partition, and the time of its newest record (epoch ms)."""
    found: dict[TopicPartition, tuple[Meta | None, int | None]] = dict.fromkeys(
        changelog, (None, None)
    )
    firsts, ends = await reader.firsts(changelog), await reader.ends(changelog)
    back, left = _TAIL, set(changelog)
    while left:
        starts = {part: max(firsts[part], ends[part] - back) for part in left}
        async for records in reader.read(starts, ends):
            for record in records:
                part = TopicPartition(record.topic, record.partition)
                meta = found[part][0]
                if record.key == META and record.value:
                    meta = _meta(part, record.value)
                found[part] = (meta, record.timestamp)
        left = {part for part in left if found[part][0] is None and starts[part] > firsts[part]}
        back *= 10
    return found


def _meta(part: TopicPartition, value: bytes) -> Meta:
    try:
        return msgspec.json.decode(value, type=Meta)
    except msgspec.DecodeError as error:
        raise Fatal(
            f"{part.topic} partition {part.partition}: its `\\0meta` cannot be read ({error}), and "
            "no worker can go on from it: who else writes to this topic?"
        ) from error


async def check_siblings(
    connection: Mapping[str, Any],
    consumer: AIOKafkaConsumer,
    empty: TopicPartition,
    partitions: int,
    timeout_s: float,
) -> None:
    """Raise Unready where `empty` has nothing because its users are on other partitions still.

    Somebody has added partitions by hand: to begin empty would count these users from nothing.
    """
    others = [TopicPartition(empty.topic, n) for n in range(partitions) if n != empty.partition]
    ends = await consumer.end_offsets(others) if others else {}
    filled = [part for part in others if ends[part]]
    if not filled:
        return
    async with committed(connection, timeout_s) as reader:
        for part, (meta, _) in (await metas(reader, filled)).items():
            if meta is not None:
                check_standing(meta.busy, meta.partitions, part.partition, partitions)
