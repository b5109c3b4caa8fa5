"""Asks Kafka what there is, and changes nothing; each returns facts, or raises what prevents it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    TransactionalIdAuthorizationFailed,
    for_code,
)
from aiokafka.protocol.coordination import FindCoordinatorRequest

from stream_app.kafka.client.refused import Why, ask_all
from stream_app.kafka.doctor.facts import (
    Broker,
    Group,
    Replicas,
    operations,
)
from stream_app.kafka.doctor.requests import GroupsRequest, TopicsRequest
from stream_app.kafka.topics.check import Finding as Topic

#: Twice that, for what brokers call themselves, has to fit into a step.
_BROKER_S: Final = 4.0
_TRANSACTIONS: Final = 1
#: Kafka makes the topics of its coordinators when the first group asks for one.
_STARTING: Final = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
_TRIES: Final = 12
_PAUSE_S: Final = 0.5

Answer = TypeVar("Answer")


async def brokers(options: Mapping[str, Any]) -> list[Broker]:
    """Each address of the settings, then those by which brokers call themselves."""
    return [
        Broker(str(called), named, said.text if isinstance(said, Why) else None)
        for called, named, said in await ask_all(options, _BROKER_S)
    ]


async def replicas(admin: AIOKafkaAdminClient, found: Sequence[Topic]) -> dict[str, Replicas]:
    """Of the topics that were found."""
    least = {
        topic.spec.name: int(topic.found.config.get("min.insync.replicas", "1"))
        for topic in found
        if topic.found is not None
    }
    if not least:
        return {}
    answer = await admin._send_request(TopicsRequest(sorted(least)))
    held = {}
    for topic in answer.to_object()["topics"]:
        parts, name = topic["partitions"], topic["topic"]
        held[name] = Replicas(
            leaderless=_where(parts, lambda part: part["leader"] < 0),
            below_min=_where(parts, lambda part, name=name: len(part["isr"]) < least[name]),
            out_of_sync=_where(parts, lambda part: len(part["isr"]) < len(part["replicas"])),
            may=operations(topic["authorized_operations"]),
        )
    return held


def _where(parts: Sequence[Mapping[str, Any]], holds: Any) -> tuple[int, ...]:
    return tuple(sorted(part["partition"] for part in parts if holds(part)))


async def groups(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, Group]:
    """Who is in each group, and what this user may do with it."""
    found = {}
    for name in names:
        try:
            told = await soon(partial(_group, admin, name))
        except GroupAuthorizationFailedError:
            found[name] = Group(name, refused=True, may=frozenset())
            continue
        hosts = sorted(member["client_host"].lstrip("/") for member in told["members"])
        may = operations(told["authorized_operations"])
        found[name] = Group(name, told["state"], tuple(hosts), may)
    return found


async def _group(admin: AIOKafkaAdminClient, name: str) -> dict[str, Any]:
    coordinator = await admin.find_coordinator(name)
    answer = await admin._send_request(GroupsRequest([name]), coordinator)
    (told,) = answer.to_object()["groups"]
    if told["error_code"]:
        raise for_code(told["error_code"])(name)
    found: dict[str, Any] = told
    return found


async def soon(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer, asked for again while a coordinator is starting; in the end what it raises."""
    for _ in range(_TRIES):
        try:
            return await ask()
        except _STARTING:
            await asyncio.sleep(_PAUSE_S)
    return await ask()


async def transactional_id(admin: AIOKafkaAdminClient, name: str) -> frozenset[str]:
    """What can be told of a transactional id without taking it: whether one may Describe it."""
    answer = await admin._send_request(FindCoordinatorRequest(name, _TRANSACTIONS))
    if answer.error_code == TransactionalIdAuthorizationFailed.errno:
        return frozenset()
    return frozenset({"Describe"})
