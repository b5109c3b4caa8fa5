"""State from Kafka into files, while nobody changes it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
from aiokafka import TopicPartition

from stream_app.domain.batch import TOPICS
from stream_app.domain.clock import to_rfc3339
from stream_app.engine.changelog import META, Meta
from stream_app.kafka.client.administration import administration
from stream_app.kafka.client.committed import Committed, committed
from stream_app.kafka.doctor.look import groups
from stream_app.kafka.input_topics.inputs import ROUTED_NAME
from stream_app.kafka.input_topics.positions import positions
from stream_app.kafka.maintenance.archive import (
    FORMAT,
    ArchiveError,
    Kept,
    Manifest,
    Part,
    PartWriter,
    write_manifest,
)
from stream_app.kafka.maintenance.offline import settled
from stream_app.kafka.recovery.standing import metas
from stream_app.kafka.topics import TopicPlan, ensure_topics, found_of
from stream_app.kafka.topics.left import has_routed
from stream_app.settings import Settings

Progress = Callable[[str, int], None]


def state_topics(settings: Settings, *, learning: bool, routed: bool) -> dict[str, str]:
    """The topics that are state, by role, in the order in which they are written back.

    The changelog comes last: until it is whole, no worker starts with what is there. Of `routed`
    events those are state that have not arrived.
    """
    learned = {"training": settings.training_topic, "models": settings.models_topic}
    return {
        "tag-state": settings.tag_state_topic,
        **(learned if learning else {}),
        **({ROUTED_NAME: settings.routed_topic} if routed else {}),
        "changelog": settings.changelog_topic,
    }


async def backup(
    settings: Settings,
    folder: Path,
    now: int,
    *,
    learning: bool,
    progress: Progress = lambda role, records: None,
) -> Manifest:
    """Write all state into `folder`, which must be empty; `now` (epoch ms) is noted.

    Raises ArchiveError while a worker or trainer runs, and where the state is not whole;
    OfflineError where a transaction stays open.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ArchiveError(
            f"{folder} is not empty: a backup is never written over another, nor over what is left "
            "of one that was broken off"
        )
    await refuse_running(settings, learning=learning)
    topics = state_topics(settings, learning=learning, routed=await has_routed(settings))
    counts = await partitions_of(settings, topics.values(), learning=learning)
    parts: list[Part] = []
    following: list[dict[str, int]] = []
    async with committed(settings.client_options(), settings.restore_timeout_s) as reader:
        spans = await _spans(settings, reader, counts)
        for role, topic in topics.items():
            for number in range(counts[topic]):
                part = TopicPartition(topic, number)
                done, meta = await _copy(reader, part, spans[part], folder, role)
                parts.append(done)
                if role == "changelog":
                    following.append(_following(part, meta, done.records))
            progress(role, sum(part.records for part in parts if part.role == role))
    # Whoever started meanwhile has changed what was read.
    await refuse_running(settings, learning=learning)
    inputs = [settings.clicks_topic, settings.purchases_topic]
    number = counts[settings.changelog_topic]
    manifest = Manifest(FORMAT, settings.app_id, to_rfc3339(now), number, inputs, following, parts)
    write_manifest(folder, manifest)
    return manifest


async def _spans(
    settings: Settings, reader: Committed, counts: Mapping[str, int]
) -> dict[TopicPartition, tuple[int, int]]:
    """What to keep of each partition: all, but of routed events those that have not arrived."""
    every = [TopicPartition(t, n) for t, count in counts.items() for n in range(count)]
    await settled(settings, counts)
    ends = await reader.ends(every)
    starts = await reader.firsts(every)
    told = await metas(reader, [part for part in every if part.topic == settings.changelog_topic])
    known = {part.partition: meta for part, (meta, _) in told.items() if meta is not None}
    arrived = positions(settings, known)
    starts |= {part: at for part, at in arrived.items() if part.topic == settings.routed_topic}
    return {part: (starts[part], ends[part]) for part in every}


async def _copy(
    reader: Committed, part: TopicPartition, span: tuple[int, int], folder: Path, role: str
) -> tuple[Part, Meta | None]:
    """Write a partition's records from, to into a file; returns the last `\\0meta` among them."""
    (start, end), meta = span, None
    with contextlib.closing(PartWriter(folder, role, part.partition)) as writer:
        async for records in reader.read({part: start}, {part: end}):
            writer.write(
                Kept(record.key, record.value, record.timestamp, list(record.headers))
                for record in records
            )
            for record in records:
                if record.key == META and record.value:
                    meta = msgspec.json.decode(record.value, type=Meta)
        return writer.done(), meta


def _following(part: TopicPartition, meta: Meta | None, records: int) -> dict[str, int]:
    """The next offsets of the inputs; ArchiveError where the partition's state is not whole."""
    where = f"{part.topic} partition {part.partition}"
    if meta is None:
        if records:
            raise ArchiveError(f"{where} is not whole: it has profiles but no offsets (`\\0meta`)")
        return {}
    if meta.busy:
        raise ArchiveError(
            f"{where} is half changed: `{meta.busy}` has begun and not ended. Run it again first"
        )
    return meta.next


async def refuse_running(settings: Settings, *, learning: bool) -> None:
    """Raises ArchiveError while anybody is in the groups of workers and trainers."""
    names = [settings.app_id, *([f"{settings.app_id}-trainer"] if learning else [])]
    async with administration(settings) as admin:
        found = await groups(admin, names)
    for name, group in found.items():
        if group.refused:
            raise ArchiveError(
                f"this user may not look at group {name}, so whether it is at work is not known"
            )
        if group.hosts:
            raise ArchiveError(
                f"{len(group.hosts)} member(s) of group {name} are at work on "
                f"{', '.join(group.hosts)}: stop all workers and trainers first. One that was "
                "killed counts until STREAM_APP_SESSION_TIMEOUT_S is over"
            )


async def partitions_of(
    settings: Settings, topics: Collection[str], *, learning: bool
) -> dict[str, int]:
    """How many partitions each topic has. Raises ArchiveError where one is missing."""
    plan = replace(TopicPlan.of(settings, learning=learning), routed=settings.routed_topic)
    findings = await ensure_topics(settings.client_options(), plan, create=False)
    counts = {}
    for topic in topics:
        found = found_of(findings, topic)
        if found is None:
            raise ArchiveError(f"there is no topic {topic}: `stream-app topics --apply` makes it")
        counts[topic] = found.partitions
    return counts


def input_names(manifest: Manifest, settings: Settings) -> dict[str, str]:
    """The inputs by their names in `\\0meta`; ArchiveError where they were others."""
    inputs = [settings.clicks_topic, settings.purchases_topic]
    if manifest.inputs != inputs:
        raise ArchiveError(
            f"the backup's offsets are of {' and '.join(manifest.inputs)}, the settings name "
            f"{' and '.join(inputs)}: offsets of one topic mean nothing in another. Set "
            "STREAM_APP_CLICKS_TOPIC and STREAM_APP_PURCHASES_TOPIC, or give --new-inputs"
        )
    return dict(zip(TOPICS, inputs, strict=True))
