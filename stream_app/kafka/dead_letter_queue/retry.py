"""Dead letters read from Kafka, and sent again: the event and a note of it in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.producer.producer import TransactionContext

from stream_app.kafka.client.closing import leave_within
from stream_app.kafka.client.committed import committed
from stream_app.kafka.client.rights import failed
from stream_app.kafka.dead_letter_queue.letters import LetterError, Listing, Note, Position, Wanted
from stream_app.kafka.dead_letter_queue.repair import Repaired
from stream_app.kafka.errors import Fatal
from stream_app.kafka.topics import TopicPlan, ensure_topics, found_of
from stream_app.settings import Settings

#: The header of an event that is sent again: which dead letter it was.
ORIGIN: Final = "dead-letter"
#: Events of one transaction.
_AT_ONCE: Final = 500
_CLOSE_S: Final = 5.0
_ABORT_S: Final = 5.0


async def read_letters(settings: Settings, wanted: Wanted, limit: int | None = None) -> Listing:
    """All that is wanted of the topic as it is now; notes of all.

    Raises LetterError without the topic or one of the positions, Fatal and KafkaError where Kafka
    does not answer.
    """
    options, topic = settings.client_options(), settings.dead_letters_topic
    partitions = (await _partitions(settings, (topic,)))[topic]
    numbers = {position.partition for position in wanted.positions} or range(partitions)
    parts = [TopicPartition(topic, number) for number in numbers if number < partitions]
    listing = Listing(wanted, limit)
    async with committed(options, settings.request_timeout_s) as reader:
        # A note is younger than its dead letter, so none is missed.
        starts = await reader.since(parts, wanted.since)
        async for records in reader.read(starts):
            listing.take(records)
    missing = wanted.positions - {letter.position for letter in listing.letters}
    if missing and limit is None:
        raise LetterError(
            f"there is no dead letter {', '.join(map(str, sorted(missing)))} on {topic}: "
            "`stream-app dead-letters list` shows what is there"
        )
    return listing


async def send(
    settings: Settings,
    events: Sequence[Repaired],
    place: Callable[[bytes, int], int],
    *,
    again: bool = False,
) -> tuple[list[Note], list[Position]]:
    """Send events to their topics; return what was sent, and what had been sent before.

    `place` says on which partition a key belongs. Each is committed together with a note on the
    dead letters' topic, and what has a note is passed over unless `again`. Only one operator at a
    time: who begins later takes the transactional id, and sees all that the one before committed.
    """
    topics = (settings.clicks_topic, settings.purchases_topic)
    partitions = await _partitions(settings, (*topics, settings.dead_letters_topic))
    oldest = min((event.letter.at for event in events), default=0)
    async with _producer(settings) as producer:
        # After the producer's start: nobody else can commit a note from here on.
        notes = (await read_letters(settings, Wanted(since=oldest), limit=0)).retried
        known = {} if again else notes
        fresh = [event for event in events if event.letter.position not in known]
        done: list[Note] = []
        for portion in _portions(fresh):
            done += await _commit(producer, settings, portion, topics, partitions, place)
    return done, [event.letter.position for event in events if event.letter.position in known]


async def _commit(
    producer: AIOKafkaProducer,
    settings: Settings,
    events: Sequence[Repaired],
    topics: tuple[str, str],
    partitions: Mapping[str, int],
    place: Callable[[bytes, int], int],
) -> list[Note]:
    transaction, open_ = producer.transaction(), False
    try:
        async with asyncio.timeout(settings.transaction_timeout_s):
            await transaction.__aenter__()
            open_ = True
            notes = await _send(producer, settings, events, topics, partitions, place)
            open_ = False
            await transaction.__aexit__(None, None, None)
    except TimeoutError as error:
        raise Fatal(f"sending took over {settings.transaction_timeout_s:.0f} s") from error
    except KafkaError as error:
        raise failed("sending failed, and nothing of this portion counts", error) from error
    finally:
        if open_:
            await _abort(transaction)
    return notes


async def _send(
    producer: AIOKafkaProducer,
    settings: Settings,
    events: Sequence[Repaired],
    topics: tuple[str, str],
    partitions: Mapping[str, int],
    place: Callable[[bytes, int], int],
) -> list[Note]:
    sent = [
        await producer.send(
            topics[event.topic],
            event.value,
            key=(key := event.user.encode()),
            partition=place(key, partitions[topics[event.topic]]),
            headers=[(ORIGIN, str(event.letter.position).encode())],
        )
        for event in events
    ]
    records = await _confirmed(sent)
    notes = [
        Note(event.letter.position, f"{record.topic} {record.partition}:{record.offset}")
        for event, record in zip(events, records, strict=True)
    ]
    written = [
        await producer.send(
            settings.dead_letters_topic,
            b"",
            key=event.letter.key,
            partition=event.letter.position.partition,
            headers=note.headers(),
        )
        for event, note in zip(events, notes, strict=True)
    ]
    await _confirmed(written)
    return notes


async def _abort(transaction: TransactionContext) -> None:
    """End it, or else workers wait at its records until Kafka does; but not for ever."""
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(_ABORT_S):
            await transaction.__aexit__(Fatal, Fatal("left"), None)


async def _confirmed(sent: Iterable[asyncio.Future[Any]]) -> list[Any]:
    """What came of all; raises the first failure once there is an answer to each."""
    answers = await asyncio.gather(*sent, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


@asynccontextmanager
async def _producer(settings: Settings) -> Any:
    producer = AIOKafkaProducer(
        **settings.client_options(),
        transactional_id=f"{settings.app_id}-dead-letters",
        transaction_timeout_ms=int(settings.transaction_timeout_s * 1000),
        compression_type=settings.codec,
        linger_ms=0,
    )
    within_s = settings.request_timeout_s
    try:
        try:
            async with asyncio.timeout(within_s):
                await producer.start()
        except TimeoutError as error:
            raise Fatal(f"no epoch for sending within {within_s:.0f} s") from error
        except KafkaError as error:
            raise failed("sending cannot begin", error) from error
        yield producer
    finally:
        await leave_within(producer.stop(), _CLOSE_S)


async def _partitions(settings: Settings, topics: Collection[str]) -> dict[str, int]:
    findings = await ensure_topics(settings.client_options(), TopicPlan.of(settings), create=False)
    counts = {}
    for topic in topics:
        found = found_of(findings, topic)
        if found is None:
            raise LetterError(
                f"no topic {topic} on {settings.bootstrap_servers}: "
                "`stream-app topics --apply` creates it"
            )
        counts[topic] = found.partitions
    return counts


def _portions(events: Sequence[Repaired]) -> Iterator[list[Repaired]]:
    # A user's events in the order in which they were refused.
    rest = iter(sorted(events, key=lambda event: (event.letter.topic, event.letter.source)))
    while portion := list(islice(rest, _AT_ONCE)):
        yield portion
