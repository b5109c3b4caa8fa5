"""New features filled from the inputs, while nobody is at work: see docs/adr/0016-repartition.md.

The inputs are folded once more from their first record kept up to where the state has read them,
and what the rows lack is written into them. The positions stay as they are: every event counts in
every feature once. Being broken off and begun again are the same as going on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka import TopicPartition

from stream_app.engine.backfill import features_of, lacking
from stream_app.engine.catalogue import Program
from stream_app.engine.changelog import Meta
from stream_app.kafka.client.committed import Committed, committed
from stream_app.kafka.input_topics.positions import input_topics, positions
from stream_app.kafka.maintenance.filling import Filler, Filling, Kept, producers_only
from stream_app.kafka.maintenance.offline import (
    OfflineError,
    Say,
    begin,
    held,
    refuse_members,
    settled,
    take_over,
    transactions,
    unread,
)
from stream_app.kafka.recovery.standing import metas
from stream_app.kafka.topics import found_of
from stream_app.kafka.topics.left import every_topic
from stream_app.settings import Settings

#: Rows that one transaction writes.
AT_ONCE: Final = 2_000


def command_line(features: Sequence[str]) -> str:
    """The command as workers name it while it has not ended."""
    named = "".join(f" --feature {name}" for name in features)
    return f"stream-app replay --from-topic{named} --apply"


async def look(settings: Settings, program: Program, features: Sequence[str] = ()) -> Filling:
    """What would be filled, changing nothing. Raises OfflineError where it cannot be done."""
    counts = await _counts(settings)
    options, wait_s = settings.client_options(), settings.restore_timeout_s
    async with committed(options, wait_s) as reader:
        known = await _metas(reader, settings, counts, command_line(features))
        found = Filling(counts[settings.changelog_topic])
        found.begun = any(meta.busy for meta in known.values())
        found.time = max((meta.time for meta in known.values()), default=0)
        found.kept = await _kept(reader, settings, known)
        for number in range(found.partitions):
            there = await held(reader, settings.changelog_topic, number)
            found.users += len(there.rows)
            for block in there.blocks():
                for name in features_of(program, lacking(program, block.layout, features)):
                    found.lacks[name] = found.lacks.get(name, 0) + len(block.users)
    return found


async def backfill(
    settings: Settings,
    program: Program,
    features: Sequence[str],
    say: Say,
    at_once: int = AT_ONCE,
) -> Filling:
    """Fill what rows lack, and `features` in all rows whatever they hold.

    Raises OfflineError before anything is changed. When it raises later, or is killed, workers
    refuse to start until it was run again and has ended.
    """
    await refuse_members(settings)
    counts = await _counts(settings)
    options, wait_s = settings.client_options(), settings.restore_timeout_s
    command = command_line(features)
    state = {settings.changelog_topic: counts[settings.changelog_topic]}
    await take_over(settings, state)
    async with committed(options, wait_s) as reader:
        await _metas(reader, settings, counts, command)
    found = Filling(counts[settings.changelog_topic])
    known = await begin(settings, command, found.partitions)
    say("begun", "workers refuse to start until this has ended")
    await settled(settings, state)
    async with committed(options, wait_s) as reader, transactions(settings) as writer:
        on_the_way = await _on_the_way(reader, settings, known, counts)
        if on_the_way:
            await begin(settings, "", found.partitions)
            raise OfflineError(
                f"{on_the_way:,} routed events have not reached their users yet: start the "
                "workers, wait until stream_app_lag is 0, and stop them"
            )
        found.kept = await _kept(reader, settings, known)
        found.time = max((meta.time for meta in known.values()), default=0)
        filler = Filler(settings, program, features, known, reader, writer, say, at_once)
        for number in range(found.partitions):
            await filler.fill(number, found)
        await filler.end()
    return found


async def _counts(settings: Settings) -> dict[str, int]:
    """The partitions of the changelog and of what is read."""
    findings = await every_topic(settings)
    names = (settings.changelog_topic, *input_topics(settings).values())
    counts = {}
    for name in names:
        there = found_of(findings, name)
        if there is not None:
            counts[name] = there.partitions
        elif name != settings.routed_topic:
            raise OfflineError(f"there is no topic {name}: without state there is nothing to fill")
    return counts


async def _metas(
    reader: Committed, settings: Settings, counts: Mapping[str, int], command: str
) -> dict[int, Meta]:
    there = counts[settings.changelog_topic]
    parts = [TopicPartition(settings.changelog_topic, number) for number in range(there)]
    found = {
        part.partition: meta
        for part, (meta, _) in (await metas(reader, parts)).items()
        if meta is not None
    }
    for meta in found.values():
        if meta.busy not in ("", command):
            raise OfflineError(f"`{meta.busy}` was broken off: run that again first")
        if meta.partitions not in (0, there):
            raise OfflineError(
                f"the state is spread over {meta.partitions} partitions, there are {there}: "
                f"`stream-app repartition --to {there} --apply` comes first"
            )
    if not found:
        raise OfflineError("there is no state yet: workers read the inputs from their start anyway")
    return found


async def _on_the_way(
    reader: Committed, settings: Settings, known: Mapping[int, Meta], counts: Mapping[str, int]
) -> int:
    """Events that one partition has passed on and the other has not folded yet."""
    routed = {name: n for name, n in counts.items() if name == settings.routed_topic}
    lag = await unread(reader, settings, known, routed) if routed else []
    return sum(one.events for one in lag)


async def _kept(reader: Committed, settings: Settings, known: Mapping[int, Meta]) -> list[Kept]:
    """What there is of what the state has read."""
    ends = producers_only(settings, positions(settings, known))
    firsts = await reader.firsts(ends)
    found = []
    for part, end in sorted(ends.items()):
        first, since = firsts[part], None
        if first and end:
            async for records in reader.read({part: first}, {part: min(first + 1, end)}):
                since = records[0].timestamp if records else since
        found.append(Kept(part, min(first, end), since if first else None))
    return found
