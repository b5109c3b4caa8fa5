"""Who leads the partitions of a cluster and who is in sync; moving the lead to another broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import AlterPartitionReassignmentsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String
from aiokafka.structs import TopicPartition

from stream_app.kafka.embedded.errors import BrokerError

_ASK_AGAIN_S: Final = 0.1
_ANSWER_S: Final = 3.0
_ROUND_S: Final = 12.0
#: Of Kafka's errors: nothing is wrong, the broker leads already.
_NOT_NEEDED: Final = 84


@dataclass(frozen=True)
class Copies:
    """The brokers that hold a partition, by number; the first of `replicas` is preferred to lead.

    `leader` is -1 while there is none.
    """

    leader: int
    replicas: tuple[int, ...]
    in_sync: frozenset[int]


async def copies(bootstrap_servers: str, seconds: float = 30.0) -> dict[TopicPartition, Copies]:
    """All partitions, internal topics' too, as the broker knows them that answers first.

    Raises BrokerError after `seconds`.
    """
    found: dict[TopicPartition, Copies] = {}

    async def reached() -> bool:
        async with _admin(bootstrap_servers) as admin:
            found.update(await _copies(admin))
        return True

    await _until(reached, seconds, "no broker told of its partitions")
    return found


async def in_sync(bootstrap_servers: str, brokers: Collection[int], seconds: float = 60.0) -> None:
    """Return when each of `brokers` says that every partition is in sync on all that hold it.

    One that was frozen says for a moment what was so before. Raises BrokerError after `seconds`.
    """
    wanted = set(brokers)

    async def reached() -> bool:
        async with _admin(bootstrap_servers) as admin:
            answers = await asyncio.gather(*(_told_by(admin, number) for number in wanted))
        return all(
            wanted <= {number for number, *_ in answer.brokers}
            and all(
                part.leader >= 0 and part.in_sync == {*part.replicas}
                for part in _copies_in(answer).values()
            )
            for answer in answers
        )

    await _until(reached, seconds, f"not every partition is in sync on brokers {sorted(wanted)}")


async def move_leaders(
    bootstrap_servers: str, wanted: Mapping[TopicPartition, int], seconds: float = 30.0
) -> None:
    """Have each partition led by the broker that `wanted` gives it, which must hold a copy.

    Returns when that is so; raises BrokerError after `seconds`, as where a broker is not in sync.
    """

    async def reached() -> bool:
        async with _admin(bootstrap_servers) as admin:
            found = await _copies(admin)
            await _prefer(admin, found, wanted)
            await _elect(admin, [part for part in wanted if found[part].leader != wanted[part]])
            found = await _copies(admin)
        return all(found[part].leader == leader for part, leader in wanted.items())

    await _until(reached, seconds, "the leaders were not moved")


async def _prefer(
    admin: AIOKafkaAdminClient,
    found: Mapping[TopicPartition, Copies],
    wanted: Mapping[TopicPartition, int],
) -> None:
    """Put the wanted leaders first among the replicas, whose set stays as it is."""
    orders = {
        part: [leader, *(other for other in found[part].replicas if other != leader)]
        for part, leader in wanted.items()
        if found[part].replicas[0] != leader
    }
    if not orders:
        return
    topics: list[Any] = [
        (topic, [(part.partition, orders[part], {}) for part in parts], {})
        for topic, parts in _by_topic(orders)
    ]
    asked = AlterPartitionReassignmentsRequest(int(_ANSWER_S * 1000), topics, {})
    await admin._send_to_controller(asked)


async def _elect(admin: AIOKafkaAdminClient, parts: Collection[TopicPartition]) -> None:
    if parts:
        topics = [(topic, [part.partition for part in some]) for topic, some in _by_topic(parts)]
        answer = await admin._send_to_controller(_ElectLeaders(topics))
        refused = {code for _, some in answer.results for _, code, _ in some} - {0, _NOT_NEEDED}
        if answer.error_code or refused:
            raise BrokerError(f"no election: errors {sorted({answer.error_code, *refused} - {0})}")


def _by_topic(
    parts: Collection[TopicPartition],
) -> Iterator[tuple[str, Iterator[TopicPartition]]]:
    return groupby(sorted(parts), key=lambda part: part.topic)


async def _copies(admin: AIOKafkaAdminClient) -> dict[TopicPartition, Copies]:
    """What the first broker tells that answers: one that hangs must not hold it up."""
    asked = [
        asyncio.create_task(_told_by(admin, broker.nodeId))
        for broker in admin._client.cluster.brokers()
    ]
    try:
        for answer in asyncio.as_completed(asked):
            with suppress(KafkaError, TimeoutError, OSError):
                return _copies_in(await answer)
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    raise BrokerError("no broker answers")


async def _told_by(admin: AIOKafkaAdminClient, number: int) -> Any:
    """One broker's metadata of everything."""
    return await admin._send_request_to_node(number, MetadataRequest(None))


def _copies_in(answer: Any) -> dict[TopicPartition, Copies]:
    return {
        TopicPartition(topic["topic"], part["partition"]): Copies(
            part["leader"], tuple(part["replicas"]), frozenset(part["isr"])
        )
        for topic in answer.to_object()["topics"]
        for part in topic["partitions"]
    }


async def _until(reached: Callable[[], Any], seconds: float, what: str) -> None:
    """Ask again and again; a broker that is away or busy is asked again too."""
    last: object = "it was not reached"
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    async with asyncio.timeout(_ROUND_S):
                        if await reached():
                            return
                    last = "it was not reached"
                except (KafkaError, BrokerError, OSError) as error:
                    last = error
                except TimeoutError:
                    last = "no answer"
                await asyncio.sleep(_ASK_AGAIN_S)
    except TimeoutError as error:
        raise BrokerError(f"{what} after {seconds:.0f} s: {last}") from error


@asynccontextmanager
async def _admin(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    # A broker that hangs takes calls: after this another one is asked.
    admin = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap_servers, request_timeout_ms=int(_ANSWER_S * 1000)
    )
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


class _ElectLeadersResponse_v1(Response):
    API_KEY = 43
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "results",
            Array(
                ("topic", String("utf-8")),
                (
                    "partitions",
                    Array(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("error_message", String("utf-8")),
                    ),
                ),
            ),
        ),
    )


class _ElectLeadersRequest_v1(RequestStruct):
    API_KEY = 43
    API_VERSION = 1
    RESPONSE_TYPE = _ElectLeadersResponse_v1
    SCHEMA = Schema(
        ("election_type", Int8),
        ("topics", Array(("topic", String("utf-8")), ("partitions", Array(Int32)))),
        ("timeout_ms", Int32),
    )


class _ElectLeaders(Request[_ElectLeadersRequest_v1]):
    """Elects the preferred leaders; aiokafka does not have this request."""

    API_KEY = 43

    def __init__(self, topics: list[tuple[str, list[int]]]) -> None:
        self._topics = topics

    def build(self, request_struct_class: Any) -> Any:
        preferred = 0
        return request_struct_class(preferred, self._topics, int(_ANSWER_S * 1000))
