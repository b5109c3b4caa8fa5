"""The only producer of a run: made-up traffic at a steady rate, and floods of what is refused.

It is several at once where asked to: events of one user in four are placed as librdkafka does, of
one without a key, and of one by the key of a session. What such two send is sent once: a repeat is
known among the last 32 events of its user, and theirs come in any order.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from contextlib import suppress
from typing import Self
from zlib import crc32

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata
from support.traffic import TOPICS, Made, Traffic

from chaos.changelog import Input
from stream_app.domain.partitioner import PARTITIONERS
from stream_app.kafka.topics import TopicPlan

#: Portions a second.
PORTIONS = 20
#: A broker that is away is waited for this long; what is not acknowledged then is not sent again,
#: since nobody knows whether it is there.
PATIENCE_S = 120.0


class Feed:
    """Sends `rate` events a second until it is stopped; `ends` are acknowledged next offsets."""

    def __init__(
        self, servers: str, plan: TopicPlan, traffic: Traffic, rate: float, *, anyhow: bool = False
    ) -> None:
        #: By input and partition.
        self.ends: Counter[Input] = Counter()
        self.lost = 0
        #: Whether producers place events anyhow.
        self.anyhow = anyhow
        self._recent: deque[Made] = deque(maxlen=40)
        self._names = (plan.clicks, plan.purchases)
        self._traffic = traffic
        self._rate = rate
        self._producer = AIOKafkaProducer(
            bootstrap_servers=servers,
            enable_idempotence=True,
            request_timeout_ms=int(PATIENCE_S * 1000),
            retry_backoff_ms=50,
            metadata_max_age_ms=5_000,
            max_request_size=2**21,
        )
        self._sending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        await self._producer.stop()

    def start(self) -> None:
        """Send at the rate from now on."""
        self._sending = asyncio.create_task(self._send_on())

    async def stop(self) -> None:
        """Send no more; what is under way is acknowledged, or given up, on return."""
        if self._sending is not None:
            sending, self._sending = self._sending, None
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending

    async def send(self, n: int) -> None:
        """Send the next `n` events and wait until Kafka has them."""
        await self._put(self._traffic.take(n))

    async def flood(self, n: int) -> None:
        """Send `n` records that are to be refused, of every sort, to all partitions."""
        await self._put([poison(self._traffic, i) for i in range(n)])

    async def _send_on(self) -> None:
        portion = max(1, round(self._rate / PORTIONS))
        while True:
            putting = asyncio.create_task(self._put(self._traffic.take(portion)))
            try:
                await asyncio.shield(putting)
                await asyncio.sleep(portion / self._rate)
            except asyncio.CancelledError:
                await putting
                raise

    async def _put(self, portion: list[Made]) -> None:
        sent = [await self._send(made) for made in portion if not self._again(made)]
        for answer in await asyncio.gather(*sent, return_exceptions=True):
            if isinstance(answer, KafkaError):
                self.lost += 1
            elif isinstance(answer, BaseException):
                raise answer
            else:
                place = TOPICS[self._names.index(answer.topic)], answer.partition
                self.ends[place] = max(self.ends[place], answer.offset + 1)

    def _again(self, made: Made) -> bool:
        """Whether it is a repeat that nobody may send."""
        again = self.anyhow and way_of(made) > 1 and made in self._recent
        self._recent.append(made)
        return again

    async def _send(self, made: Made) -> asyncio.Future[RecordMetadata]:
        name, key, partition = self._names[made.topic], made.user.encode(), None
        if self.anyhow and not made.refused:
            key, partition = placed(made, len(await self._producer.partitions_for(name)))
        return await self._producer.send(name, made.value, key, partition)

    async def look(self) -> None:
        """Find out at once how many partitions there are."""
        await self._producer.client.force_metadata_update()


def way_of(made: Made) -> int:
    """Which of four producers sends events of that user; from 2 on, they lie here and there."""
    return crc32(made.user.encode()) % 4


def placed(made: Made, partitions: int) -> tuple[bytes | None, int]:
    """Key and partition of an event."""
    user, number = made.user.encode(), crc32(made.value)
    match way_of(made):
        case 0:
            return user, PARTITIONERS["murmur2"](user, partitions)
        case 1:
            return user, PARTITIONERS["crc32"](user, partitions)
        case 2:
            return None, number % partitions
    session = b"session-%d" % number
    return session, PARTITIONERS["murmur2"](session, partitions)


def poison(traffic: Traffic, i: int) -> Made:
    """The i-th of what is to be refused: cut, foreign, binary, empty, too large."""
    values = (
        b'{"event_id": "cut',
        b'{"event_id": "x", "type": "teleport", "user_id": "u", "occurred_at": 1700000000000}',
        b"\x00\xff\xfe" * 20,
        b"",
        b"[]",
        b"null",
        b'{"type": ' + b"[" * 3_000,
        os.urandom(16).hex().encode() * 2_100,
    )
    return Made(i % len(TOPICS), f"flood-{i}", 0, values[i % len(values)], refused=True)
