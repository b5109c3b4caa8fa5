"""What a partition's task reads: partitions of the inputs, and what others have routed to it.

Partition s of an input with any number of partitions is read by task s modulo the number of tasks.
With equally many that is the task of the same number; with a multiple of them a keyed user's events
still come to the task that has his profile, and nothing has to be routed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from faust.types import TP

from stream_app.domain.batch import TOPICS
from stream_app.settings import Settings

#: Stands for the topic index of what was routed, which is of any topic.
ROUTED: Final = len(TOPICS)
#: The name of what was routed in `\\0meta` and in metrics.
ROUTED_NAME: Final = "routed"


class Input(NamedTuple):
    """A partition that a task reads; `topic` is its index in TOPICS, or ROUTED."""

    topic: int
    tp: TP
    name: str

    @property
    def label(self) -> str:
        """What metrics call its topic."""
        return ROUTED_NAME if self.topic == ROUTED else TOPICS[self.topic]


def topics_of(settings: Settings) -> dict[str, int]:
    """Index by topic of all that may be an input."""
    return {
        settings.clicks_topic: TOPICS.index("clicks"),
        settings.purchases_topic: TOPICS.index("purchases"),
        settings.routed_topic: ROUTED,
    }


def shares(number: int, tasks: int, count: int) -> range:
    """Return which of a topic's `count` partitions task `number` of `tasks` reads."""
    return range(number, count, tasks)


def inputs_of(settings: Settings, number: int, assigned: Iterable[TP]) -> tuple[Input, ...]:
    """Return what task `number` reads of the partitions that this worker is `assigned`, in order.

    `\\0meta` names the task's own partition of an input by the topic alone, as it did before others
    were read, and partition 9 of the clicks `clicks:9`.
    """
    topics = topics_of(settings)
    found = [
        Input(topics[tp.topic], tp, _name(topics[tp.topic], tp.partition, number))
        for tp in assigned
        if tp.topic in topics and tp.partition % settings.partitions == number
    ]
    return tuple(sorted(found, key=lambda one: (one.tp.partition != number, one.topic, one.tp)))


def _name(topic: int, partition: int, number: int) -> str:
    if topic == ROUTED:
        return ROUTED_NAME
    return TOPICS[topic] if partition == number else f"{TOPICS[topic]}:{partition}"


def partition_of(name: str, number: int) -> tuple[str, int]:
    """Return topic and partition of a name in the `\\0meta` of partition `number`.

    >>> partition_of("clicks", 1), partition_of("clicks:9", 1)
    (('clicks', 1), ('clicks', 9))
    """
    topic, _, partition = name.partition(":")
    return topic, int(partition) if partition else number


def expected(settings: Settings, number: int, counts: Mapping[str, int]) -> set[TP]:
    """Return the partitions of the producers' topics without which task `number` must not begin.

    `counts` are the partitions of these topics, by default as many as there are tasks.
    """
    tasks = settings.partitions
    return {
        TP(topic, partition)
        for topic in (settings.clicks_topic, settings.purchases_topic)
        for partition in shares(number, tasks, counts.get(topic, tasks))
    }
