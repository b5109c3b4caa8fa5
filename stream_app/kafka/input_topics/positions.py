"""Where reading goes on in each partition of the inputs, whichever task reads it."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import TopicPartition
from faust.types import TP

from stream_app.engine.changelog import Meta
from stream_app.kafka.input_topics.inputs import ROUTED_NAME, inputs_of, partition_of
from stream_app.settings import Settings


def input_topics(settings: Settings) -> dict[str, str]:
    """What is read, by the names of `\\0meta`."""
    return {
        "clicks": settings.clicks_topic,
        "purchases": settings.purchases_topic,
        ROUTED_NAME: settings.routed_topic,
    }


def positions(settings: Settings, metas: Mapping[int, Meta]) -> dict[TopicPartition, int]:
    """The next offset of every input partition that a task has read; `metas` by task."""
    topics, found = input_topics(settings), {}
    for number, meta in metas.items():
        for name, offset in meta.next.items():
            topic, partition = partition_of(name, number)
            found[TopicPartition(topics[topic], partition)] = offset
    return found


def partitions_of_inputs(settings: Settings, counts: Mapping[str, int]) -> list[TopicPartition]:
    """All partitions of the inputs that `counts` has."""
    return [
        TopicPartition(topic, number)
        for topic in input_topics(settings).values()
        for number in range(counts.get(topic, 0))
    ]


def spread(
    settings: Settings, tasks: int, known: Mapping[TopicPartition, int]
) -> list[dict[str, int]]:
    """The same positions as each of so many tasks names them."""
    shared = settings.model_copy(update={"partitions": tasks})
    tps = [TP(part.topic, part.partition) for part in known]
    return [
        {one.name: known[TopicPartition(*one.tp)] for one in inputs_of(shared, number, tps)}
        for number in range(tasks)
    ]
