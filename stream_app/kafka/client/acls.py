"""The rights that each role needs of Kafka, and no more; data, made from the settings."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final, Literal

from stream_app.settings import Settings

Resource = Literal["topic", "group", "transactional-id"]
ROLES: Final = ("producer", "worker", "trainer", "consumer", "operator", "maintainer")
_SETTINGS: Final = "DescribeConfigs"


@dataclass(frozen=True)
class Right:
    """What `role` may do to one resource; Read, Write, Delete and Alter let it Describe too.

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
        *_maintainer(settings, learning),
    ]


def _topics(role: str, names: Iterable[str], operations: str, why: str) -> Iterator[Right]:
    """The same for several topics, of which one may see how they are set, too."""
    for name in names:
        yield Right(role, "topic", name, (*operations.split(), _SETTINGS), why)


def _writes_as(role: str, name: str, why: str, *, prefixed: bool = False) -> Right:
    return Right(role, "transactional-id", name, ("Write",), why, prefixed)


def _groups(settings: Settings, learning: bool) -> list[str]:
    return [settings.app_id, *([f"{settings.app_id}-trainer"] if learning else [])]


def _inputs(settings: Settings) -> tuple[str, str]:
    return settings.clicks_topic, settings.purchases_topic


def _learned(settings: Settings, learning: bool) -> tuple[str, ...]:
    return (settings.training_topic, settings.models_topic) if learning else ()


def _routed(settings: Settings) -> tuple[str, ...]:
    """The topic of events on the way to their users, where any are sent there."""
    return (settings.routed_topic,) if settings.route == "auto" else ()


def _left(settings: Settings) -> tuple[str, ...]:
    """That topic where it may be left from when events were routed."""
    return (settings.routed_topic,) if settings.route == "never" else ()


def _producer(settings: Settings) -> Iterator[Right]:
    # Own producers need no more than Write; `stream-app produce` looks how long events stay.
    yield from _topics("producer", _inputs(settings), "Write", "sends events")


def _worker(settings: Settings, learning: bool) -> Iterator[Right]:
    of = partial(_topics, "worker")
    _, _, *outputs = settings.topics
    yield from of(_inputs(settings), "Read", "reads events")
    yield from of(outputs, "Write", "writes what it decides")
    yield from of([settings.changelog_topic], "Read Write", "keeps profiles")
    yield from of(
        _routed(settings), "Read Write Delete", "takes events to their users, drops what arrived"
    )
    yield from of(_left(settings), "Read Delete", "reads what was routed before")
    if learning:
        yield from of([settings.training_topic], "Write", "writes samples")
        yield from of([settings.models_topic], "Read", "reads models")
    yield Right("worker", "group", settings.app_id, ("Read",), "shares the partitions")
    why = "commits each partition, under its number"
    yield _writes_as("worker", f"{settings.app_id}-", why, prefixed=True)


def _trainer(settings: Settings) -> Iterator[Right]:
    of, name = partial(_topics, "trainer"), f"{settings.app_id}-trainer"
    yield from of([settings.training_topic], "Read", "learns from samples")
    yield from of([settings.models_topic], "Read Write", "publishes models")
    yield Right("trainer", "group", name, ("Read",), "is the only one at work")
    yield _writes_as("trainer", name, "publishes whole models only")


def _consumer(settings: Settings, group: str | None) -> Iterator[Right]:
    for topic in (settings.tags_topic, settings.tag_state_topic):
        yield Right("consumer", "topic", topic, ("Read",), "reads tags")
    if group is not None:
        yield Right("consumer", "group", group, ("Read",), "shares the partitions")


def _operator(settings: Settings, learning: bool) -> Iterator[Right]:
    of, app_id, letters = partial(_topics, "operator"), settings.app_id, settings.dead_letters_topic
    yield from of(_inputs(settings), "Create Write", "makes, checks, sends dead letters again")
    noting = "makes, checks, looks into, notes what was sent again"
    yield from of([letters], "Create Read Write", noting)
    yield _writes_as("operator", f"{app_id}-dead-letters", "sends each dead letter once")
    state = (settings.tags_topic, settings.tag_state_topic, settings.changelog_topic)
    yield from of((*state, *_routed(settings)), "Create Read", "makes, checks, looks into")
    pinning = "makes, checks, looks into, pins and releases models"
    yield from of(_learned(settings, learning), "Create Read Write", pinning)
    if learning:
        yield _writes_as("operator", f"{app_id}-models", "pins and releases models")
    for group in _groups(settings, learning):
        yield Right("operator", "group", group, ("Describe",), "sees how far it has come")


def _maintainer(settings: Settings, learning: bool) -> Iterator[Right]:
    """Who changes the state while nobody is at work: he could write whatever profile he likes."""
    of, state = partial(_topics, "maintainer"), (settings.changelog_topic, settings.tag_state_topic)
    yield from of(
        _inputs(settings), "Read Alter", "sees what is unread, folds it again, adds partitions"
    )
    moving = "moves users, fills features, keeps and puts back state, adds partitions"
    yield from of((*state, *_routed(settings)), "Read Write Alter", moving)
    yield from of(_left(settings), "Read Alter", "keeps what was routed before")
    others = (settings.tags_topic, settings.dead_letters_topic)
    yield from of(others, "Alter", "adds partitions")
    yield from of(
        _learned(settings, learning), "Read Write", "keeps and puts back what was learned"
    )
    for group in _groups(settings, learning):
        yield Right("maintainer", "group", group, ("Describe",), "sees that nobody is at work")
    why = "takes each partition over, so that no worker commits meanwhile"
    yield _writes_as("maintainer", f"{settings.app_id}-", why, prefixed=True)


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
