"""Events on their way to the partition that has their user's profile; see ADR 15.

A round that reads an event of another partition's user writes it to that partition of an internal
topic, in the transaction that also says that it was read. Its receiver reads that topic like any
other input. Headers say where the producer's record lies, so that causes and dead letters name it,
and whoever reads the topic can tell that each record is there once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from stream_app.domain.batch import TOPICS
from stream_app.domain.errors import Misplaced, Reason, Rejected
from stream_app.kafka.client.writer import Outgoing, Target
from stream_app.kafka.input_topics.inputs import ROUTED, Input
from stream_app.kafka.input_topics.queue import Taken

#: Headers of a routed record. `input` is `clicks` or `purchases`, whatever the topic is called.
INPUT: Final = "input"
#: The producer's key where that is not the user id, cut to as much as a dead letter may keep.
_KEY: Final = "key"
_KEY_BYTES: Final = 65_536


class Routed(NamedTuple):
    """A producer's record that came by the internal topic, as it was where it was read."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def outgoing(record: Any, misplaced: Misplaced) -> Outgoing:
    """Return the record to write for a misplaced one: its bytes, keyed by user."""
    user = misplaced.user.encode()
    headers = [
        (INPUT, TOPICS[misplaced.topic].encode()),
        ("topic", record.topic.encode()),
        ("partition", b"%d" % record.partition),
        ("offset", b"%d" % record.offset),
        ("timestamp", b"%d" % record.timestamp),
    ]
    if record.key is not None and record.key != user:
        headers.append((_KEY, record.key[:_KEY_BYTES]))
    return Outgoing(user, record.value, headers)


def by_target(
    topic: str, misplaced: Iterable[Misplaced], records: Sequence[Sequence[Any]]
) -> dict[str | Target, Iterable[Outgoing]]:
    """Return what to write to each partition of the internal topic, in the order of reading."""
    found: dict[str | Target, list[Outgoing]] = {}
    for one in misplaced:
        record = records[one.topic][one.position]
        found.setdefault(Target(topic, one.partition), []).append(outgoing(record, one))
    return {**found}


def source(record: Any) -> tuple[int, Routed] | None:
    """Return topic index and source of a routed record; None where its headers do not tell."""
    headers: Mapping[str, bytes] = dict(record.headers)
    try:
        topic = TOPICS.index(headers[INPUT].decode())
        return topic, Routed(
            topic=headers["topic"].decode(),
            partition=int(headers["partition"]),
            offset=int(headers["offset"]),
            timestamp=int(headers["timestamp"]),
            key=headers.get(_KEY, record.key),
            value=record.value,
        )
    except (KeyError, ValueError, AttributeError):
        return None


def gather(taken: Taken, inputs: Sequence[Input]) -> list[list[Any]]:
    """Return the records of several inputs by topic; those that no worker routed at ROUTED.

    Each input's stay in order; several are merged by the time of their records, so that what was
    produced in order mostly stays so.
    """
    logs: list[list[list[Any]]] = [[] for _ in TOPICS]
    strays: list[Any] = []
    for one, records in zip(inputs, taken.records, strict=True):
        if not records:
            continue
        if one.topic == ROUTED:
            strays += _unpack(records, logs)
        else:
            logs[one.topic].append(records)
    return [*map(_merge, logs), strays]


def _unpack(records: Iterable[Any], logs: list[list[list[Any]]]) -> list[Any]:
    """Add routed records to the logs of their topics; return the others."""
    sources: list[list[Any]] = [[] for _ in logs]
    strays = []
    for record in records:
        found = source(record)
        if found is None:
            strays.append(record)
        else:
            sources[found[0]].append(found[1])
    for log, of_topic in zip(logs, sources, strict=True):
        if of_topic:
            log.append(of_topic)
    return strays


def _merge(logs: list[list[Any]]) -> list[Any]:
    if len(logs) < 2:
        return logs[0] if logs else []
    times = [np.fromiter((record.timestamp for record in log), np.int64) for log in logs]
    rising = np.concatenate([np.maximum.accumulate(of_log) for of_log in times])
    every = [record for log in logs for record in log]
    return [every[i] for i in rising.argsort(kind="stable").tolist()]


def strays(records: Sequence[Sequence[Any]]) -> list[Rejected]:
    """Return the refusals of what lies on the internal topic and was not routed by a worker."""
    why = "no worker wrote this record: events belong on the producers' topics"
    return [Rejected(ROUTED, i, Reason.MISROUTED, why) for i in range(len(records[ROUTED]))]
