"""Look topics up, create the missing ones, refuse those that do not fit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    NodeNotReadyError,
    RequestTimedOutError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.metadata import MetadataRequest

from stream_app.kafka.client.refused import Away, why_refused
from stream_app.kafka.client.rights import ADVICE
from stream_app.kafka.topics.check import Finding, Found, TopicsError, compare
from stream_app.kafka.topics.spec import TopicPlan, TopicSpec, topic_specs

CREATE_SECONDS = 30.0
#: A broker that says nothing for so long is taken for one that hangs.
_ANSWER_MS = 20_000


async def ensure_topics(
    client_options: Mapping[str, Any],
    plan: TopicPlan,
    *,
    create: bool = True,
    only: Collection[str] = (),
) -> list[Finding]:
    """Create the missing topics and check the others; a finding for each, in declared order.

    With names in `only`, those of the plan's topics alone.
    `client_options` are those of any aiokafka client (`Settings.client_options()`). Raises
    TopicsError with every misfit, and creates nothing then; with `create=False` it only looks and
    returns the misfits in the findings. Raises Refused when the brokers do not let us in,
    aiokafka's KafkaError when none answers.
    """
    specs = [spec for spec in topic_specs(plan) if not only or spec.name in only]
    async with _admin(client_options) as admin:
        findings = compare(specs, *await _look_up(admin, specs))
        if not create:
            return findings
        _refuse(findings)
        missing = [finding.spec for finding in findings if finding.missing]
        if not missing:
            return findings
        made = await _create(admin, missing)
        findings = compare(specs, *await _await_leaders(admin, specs))
    # Another worker may have created some of them meanwhile, and differently.
    _refuse(findings)
    return [replace(finding, created=finding.spec.name in made) for finding in findings]


def _refuse(findings: Sequence[Finding]) -> None:
    misfits = [misfit for finding in findings for misfit in finding.misfits]
    if misfits:
        raise TopicsError(misfits)


@asynccontextmanager
async def _admin(client_options: Mapping[str, Any]) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**{"request_timeout_ms": _ANSWER_MS} | dict(client_options))
    try:
        await admin.start()
        yield admin
    except (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError) as error:
        raise await why_refused(client_options, error) from error
    finally:
        await admin.close()


async def _look_up(
    admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]
) -> tuple[dict[str, Found], dict[str, str]]:
    """What there is of the topics, and why some may not be looked at.

    A topic that was made a moment ago is listed by one broker before another knows it: look again.
    """
    unknown: object = "no answer"
    try:
        async with asyncio.timeout(CREATE_SECONDS):
            while True:
                try:
                    return await _look_once(admin, specs)
                except UnknownTopicOrPartitionError as error:
                    unknown = error
                    await asyncio.sleep(0.05)
    except TimeoutError:
        raise Away(f"after {CREATE_SECONDS:.0f} s brokers disagree: {unknown}") from None


async def _look_once(
    admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]
) -> tuple[dict[str, Found], dict[str, str]]:
    # All topics are listed: asking for one by name creates it where the cluster auto-creates.
    wanted = {spec.name for spec in specs}
    described = [topic for topic in await admin.describe_topics() if topic["topic"] in wanted]
    configs, unseen = await _configs(admin, [topic["topic"] for topic in described])
    unseen |= await _hidden(admin, wanted - {topic["topic"] for topic in described})
    found = {
        topic["topic"]: Found(
            partitions=len(topic["partitions"]),
            replication=min(len(part["replicas"]) for part in topic["partitions"]),
            config=configs.get(topic["topic"], {}),
        )
        for topic in described
        if topic["partitions"]
    }
    return found, unseen


async def _hidden(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, str]:
    """Why topics are not listed that may be there all the same."""
    if not names:
        return {}
    asked = MetadataRequest(sorted(names), allow_auto_topic_creation=False)
    answer = await admin._send_request(asked)
    return {
        name: f"{name}: this user may not see it (it needs the right Describe): {ADVICE}"
        for code, name, *_ in answer.topics
        if code == TopicAuthorizationFailedError.errno
    }


async def _configs(
    admin: AIOKafkaAdminClient, names: Sequence[str]
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    if not names:
        return {}, {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    configs: dict[str, dict[str, str]] = {}
    unseen: dict[str, str] = {}
    for response in await admin.describe_configs(asked):
        for code, message, _kind, name, entries in response.resources:
            if code == TopicAuthorizationFailedError.errno:
                unseen[name] = (
                    f"{name}: this user may not read its settings (it needs the right "
                    f"DescribeConfigs): {ADVICE}"
                )
            elif code == UnknownTopicOrPartitionError.errno:
                raise UnknownTopicOrPartitionError(f"{name} is listed by one, unknown to another")
            elif code:
                raise TopicsError(
                    [f"{name}: its settings cannot be read: {message or for_code(code).__name__}"]
                )
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return configs, unseen


async def _create(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> set[str]:
    """Create topics; those that somebody else created in this moment are not in the result."""
    response = await admin.create_topics(
        [
            NewTopic(spec.name, spec.partitions, spec.replication, topic_configs=spec.config)
            for spec in specs
        ]
    )
    made, refused = set(), []
    for name, code, message, *_ in response.topic_errors:
        if not code:
            made.add(name)
        elif code != TopicAlreadyExistsError.errno:
            refused.append(f"{name}: cannot be created: {_why_not(code, message)}")
    if refused:
        raise TopicsError(refused)
    return made


def _why_not(code: int, message: str | None) -> str:
    if code in (TopicAuthorizationFailedError.errno, ClusterAuthorizationFailedError.errno):
        return (
            "this user may not (it needs the right Create): let an operator do it with "
            f"`stream-app topics --apply`; {ADVICE}"
        )
    return message or str(for_code(code).__name__)


async def _await_leaders(
    admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]
) -> tuple[dict[str, Found], dict[str, str]]:
    """Look up again until every topic is there with a leader for each partition."""
    led: set[str] = set()
    names = {spec.name for spec in specs}
    try:
        async with asyncio.timeout(CREATE_SECONDS):
            while not names <= led:
                await asyncio.sleep(0.05)
                led = _led(await admin.describe_topics())
            return await _look_up(admin, specs)
    except TimeoutError:
        # Not the topics' fault: who waits for Kafka tries again.
        raise Away(
            f"after {CREATE_SECONDS:.0f} s no broker leads all partitions of "
            f"{', '.join(sorted(names - led)) or 'what was created'}: look at the brokers"
        ) from None


def _led(topics: Sequence[Mapping[str, Any]]) -> set[str]:
    """The topics of which each partition has a leader."""
    return {
        topic["topic"]
        for topic in topics
        if topic["partitions"] and all(part["leader"] >= 0 for part in topic["partitions"])
    }
