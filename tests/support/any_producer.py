"""Four kinds of producers in one: two partitioners, no key, and the key of a session."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from zlib import crc32

from aiokafka import ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from support.broker import Message, produce
from support.traffic import Made, Traffic

from stream_app.domain.partitioner import PARTITIONERS
from stream_app.kafka.topics import TopicPlan, ensure_topics

PORTION = 500
#: Partitions of clicks and purchases.
COUNTS = (3, 4)


class AnyProducer:
    """Sends portions of the traffic, each event by one of four kinds of producers."""

    def __init__(self, servers: str, names: tuple[str, str], traffic: Traffic) -> None:
        self._servers, self._names, self._traffic = servers, names, traffic
        self.refused: set[bytes] = set()
        self.sent = 0

    async def send(self) -> None:
        portion = self._traffic.take(PORTION)
        self.refused |= {made.value for made in portion if made.refused}
        split: dict[tuple[int, int], list[Message]] = defaultdict(list)
        for made in portion:
            key, partition = placed(made, COUNTS[made.topic])
            split[made.topic, partition].append(Message(key, made.value))
        for (topic, partition), messages in split.items():
            await produce(self._servers, self._names[topic], messages, partition=partition)
        self.sent += len(portion)


def placed(made: Made, partitions: int) -> tuple[bytes | None, int]:
    """Key and partition of an event; the same when it is sent again."""
    user, way = made.user.encode(), crc32(made.value)
    match way % 4:
        case 0:
            return user, PARTITIONERS["murmur2"](user, partitions)
        case 1:
            return user, PARTITIONERS["crc32"](user, partitions)
        case 2:
            return None, way // 4 % partitions
    session = b"session-%d" % (way // 4)
    return session, PARTITIONERS["murmur2"](session, partitions)


async def make_topics(servers: str, plan: TopicPlan) -> None:
    """Topics of which the inputs have partitions of their own."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        names = (plan.clicks, plan.purchases)
        await admin.create_topics([NewTopic(*one, 1) for one in zip(names, COUNTS, strict=True)])
    finally:
        await admin.close()
    await ensure_topics({"bootstrap_servers": servers}, plan)


def positions(records: Iterable[ConsumerRecord]) -> Counter[tuple[str, int, int]]:
    return Counter((r.topic, r.partition, r.offset) for r in records)
