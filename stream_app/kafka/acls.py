"""The rights that each role needs of Kafka, and no more; data, made from the settings."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

from stream_app.settings import Settings

Resource = Literal["topic", "group", "transactional-id"]
ROLES: Final = ("producer", "worker", "trainer", "consumer", "operator")
_SETTINGS: Final = "DescribeConfigs"


@dataclass(frozen=True)
class Right:
    """What `role` may do to one resource; Read and Write let it Describe too.

    With `prefixed` it holds for all names that begin so.
    """

    role: str
    resource: Resource
    name: str
    operations: tuple[str, ...]
    why: str
    prefixed: bool = False


def rights(settings: Settings, *, learning: bool, group: str | None = None) -> list[Right]:
    """Every right of every role; with `learning` also for samples and models.

    `group` is the consumer group of who reads the tags.
    """
    return [
        *_producer(settings),
        *_worker(settings, learning),
        *(_trainer(settings) if learning else ()),
        *_consumer(settings, group),
        *_operator(settings, learning),
    ]


def _producer(settings: Settings) -> Iterator[Right]:
    for topic in (settings.clicks_topic, settings.purchases_topic):
        # Own producers need no more than Write; `stream-app produce` looks how long events stay.
        yield Right("producer", "topic", topic, ("Write", _SETTINGS), "sends events")


def _worker(settings: Settings, learning: bool) -> Iterator[Right]:
    clicks, purchases, *outputs = settings.topics
    for topic in (clicks, purchases):
        yield Right("worker", "topic", topic, ("Read", _SETTINGS), "reads events")
    for topic in outputs:
        yield Right("worker", "topic", topic, ("Write", _SETTINGS), "writes what it decides")
    yield Right(
        "worker", "topic", settings.changelog_topic, ("Read", "Write", _SETTINGS), "keeps profiles"
    )
    for topic in _internal(settings):
        why = "takes events to their users"
        yield Right("worker", "topic", topic, ("Read", "Write", _SETTINGS), why)
    if learning:
        training, models = settings.training_topic, settings.models_topic
        yield Right("worker", "topic", training, ("Write", _SETTINGS), "writes samples")
        yield Right("worker", "topic", models, ("Read", _SETTINGS), "reads models")
    yield Right("worker", "group", settings.app_id, ("Read",), "shares the partitions")
    yield Right(
        "worker",
        "transactional-id",
        f"{settings.app_id}-",
        ("Write",),
        "commits each partition, under its number",
        prefixed=True,
    )


def _internal(settings: Settings) -> tuple[str, ...]:
    """The topic of events on the way to their users, where there is one."""
    return (settings.routed_topic,) if settings.route == "auto" else ()


def _trainer(settings: Settings) -> Iterator[Right]:
    name = f"{settings.app_id}-trainer"
    yield Right(
        "trainer", "topic", settings.training_topic, ("Read", _SETTINGS), "learns from samples"
    )
    yield Right(
        "trainer", "topic", settings.models_topic, ("Read", "Write", _SETTINGS), "publishes models"
    )
    for topic in (*settings.topics, settings.changelog_topic, *_internal(settings)):
        yield Right("trainer", "topic", topic, ("Describe", _SETTINGS), "checks it at its start")
    yield Right("trainer", "group", name, ("Read",), "is the only one at work")
    yield Right("trainer", "transactional-id", name, ("Write",), "publishes whole models only")


def _consumer(settings: Settings, group: str | None) -> Iterator[Right]:
    for topic in (settings.tags_topic, settings.tag_state_topic):
        yield Right("consumer", "topic", topic, ("Read",), "reads tags")
    if group is not None:
        yield Right("consumer", "group", group, ("Read",), "shares the partitions")


def _operator(settings: Settings, learning: bool) -> Iterator[Right]:
    clicks, purchases, *outputs = settings.topics
    for topic in (clicks, purchases):
        yield Right(
            "operator",
            "topic",
            topic,
            ("Create", "Write", _SETTINGS),
            "makes, checks, sends dead letters again",
        )
    letters = settings.dead_letters_topic
    yield Right(
        "operator",
        "topic",
        letters,
        ("Create", "Read", "Write", _SETTINGS),
        "makes, checks, looks into, notes what was sent again",
    )
    yield Right(
        "operator",
        "transactional-id",
        f"{settings.app_id}-dead-letters",
        ("Write",),
        "sends each dead letter once",
    )
    others = [one for one in outputs if one != letters]
    for topic in (*others, settings.changelog_topic, *_internal(settings)):
        yield Right(
            "operator", "topic", topic, ("Create", "Read", _SETTINGS), "makes, checks, looks into"
        )
    if learning:
        for topic in (settings.training_topic, settings.models_topic):
            yield Right(
                "operator",
                "topic",
                topic,
                ("Create", "Read", "Write", _SETTINGS),
                "makes, checks, looks into, pins and releases models",
            )
        yield Right(
            "operator",
            "transactional-id",
            f"{settings.app_id}-models",
            ("Write",),
            "pins and releases models",
        )
    for group in (settings.app_id, *([f"{settings.app_id}-trainer"] if learning else [])):
        yield Right("operator", "group", group, ("Describe",), "sees how far it has come")


def commands(
    found: Iterable[Right], principals: Mapping[str, str], servers: str, config: str
) -> list[str]:
    """Kafka's own tool, called once for all that a role may do alike; `config` is its login."""

    def alike(right: Right) -> tuple[str, str, bool, tuple[str, ...]]:
        return right.role, right.resource, right.prefixed, right.operations

    order = {role: i for i, role in enumerate(ROLES)}
    lines = []
    ordered = sorted(found, key=lambda right: (order[right.role], alike(right)))
    for (role, resource, prefixed, operations), members in groupby(ordered, alike):
        line = ["kafka-acls.sh", "--bootstrap-server", servers, "--command-config", config]
        line += ["--add", "--allow-principal", principals[role]]
        for operation in operations:
            line += ["--operation", operation]
        for right in members:
            line += [f"--{resource}", right.name]
        if prefixed:
            line += ["--resource-pattern-type", "prefixed"]
        lines.append(shlex.join(line))
    return lines
