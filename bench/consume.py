"""The ceiling: aiokafka consuming a lane's inputs and orjson decoding each event, nothing else.

`python -m bench.consume SERVERS EVENTS TOPIC…` prints its rate as JSON.
"""

from __future__ import annotations

import sys
import time

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from bench.lanes import PARTITIONS

_FETCH_BYTES = 4 * 1024 * 1024


async def consume(servers: str, events: int, topics: list[str]) -> dict[str, float]:
    """Read `events` records from the beginning; the clock runs from the first request on."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    await consumer.start()
    try:
        began, cpu, read = time.monotonic(), time.process_time(), 0
        consumer.assign([TopicPartition(t, number) for t in topics for number in range(PARTITIONS)])
        while read < events:
            read += await _decode(consumer)
        seconds = time.monotonic() - began
        return {
            "events_per_second": round(read / seconds, 1),
            "cpu_us_per_event": round((time.process_time() - cpu) / read * 1e6, 2),
            "events": read,
            "seconds": round(seconds, 2),
        }
    finally:
        await consumer.stop()


async def _decode(consumer: AIOKafkaConsumer) -> int:
    fetched = await consumer.getmany(timeout_ms=10_000)
    if not fetched:
        raise TimeoutError("no records for 10 s")
    for records in fetched.values():
        for record in records:
            orjson.loads(record.value)
    return sum(map(len, fetched.values()))


if __name__ == "__main__":
    _, at, count, *names = sys.argv
    print(orjson.dumps(uvloop.run(consume(at, int(count), names))).decode())
