"""Rows of one partition after the other, filled with what the inputs still tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

import msgspec
from aiokafka import TopicPartition

from stream_app.domain.batch import TOPICS
from stream_app.engine.backfill import Lacking, Refold, features_of, fill, first_seen, lacking
from stream_app.engine.catalogue import Program
from stream_app.engine.changelog import Meta, encode_layout, encode_meta, encode_strings
from stream_app.engine.held import Block, Held
from stream_app.kafka.client.committed import Committed
from stream_app.kafka.client.writer import Outgoing
from stream_app.kafka.input_topics.positions import input_topics, positions
from stream_app.kafka.maintenance.offline import Say, Transactions, held
from stream_app.settings import Settings


@dataclass(frozen=True)
class Kept:
    """What an input still has of the events before: the time (ms) of the first, and how many went.

    `since` is None where nothing is missing.
    """

    part: TopicPartition
    gone: int
    since: int | None


@dataclass
class Filling:
    """What is to be filled, or was: `lacks` counts by feature the users whose rows lack it."""

    partitions: int
    users: int = 0
    lacks: dict[str, int] = field(default_factory=dict)
    kept: Sequence[Kept] = ()
    time: int = 0
    events: int = 0
    filled: int = 0
    begun: bool = False


def producers_only(
    settings: Settings, known: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Without what workers have passed on, which lies where producers put it too."""
    return {part: n for part, n in known.items() if part.topic != settings.routed_topic}


class Filler:
    """Fills partition after partition."""

    def __init__(
        self,
        settings: Settings,
        program: Program,
        features: Sequence[str],
        known: Mapping[int, Meta],
        reader: Committed,
        writer: Transactions,
        say: Say,
        at_once: int,
    ) -> None:
        self._settings = settings
        self._program = program
        self._features = features
        self._known = known
        self._reader = reader
        self._writer = writer
        self._say = say
        self._at_once = at_once
        self._ends = producers_only(settings, positions(settings, known))
        self._strings: dict[int, int] = {}

    async def fill(self, number: int, found: Filling) -> None:
        """Fill the rows of a partition, and add to what was found."""
        there = await held(self._reader, self._settings.changelog_topic, number)
        self._strings[number] = len(there.dictionary)
        found.users += len(there.rows)
        blocks = [
            (block, fields)
            for block in there.blocks()
            if (fields := lacking(self._program, block.layout, self._features))
        ]
        if not blocks:
            self._say("filled", f"partition {number}: nothing is lacking")
            return
        wanted = {user.decode() for block, _ in blocks for user in block.users}
        refold = Refold(self._program, first_seen(self._program, [block for block, _ in blocks]))
        await self._refold(refold, number, wanted)
        found.events += refold.events
        there.dictionary.take_added()
        for block, fields in blocks:
            for name in features_of(self._program, fields):
                found.lacks[name] = found.lacks.get(name, 0) + len(block.users)
            found.filled += await self._write(there, block, refold, fields)
        self._strings[number] = len(there.dictionary)
        self._say(
            "filled", f"partition {number}: {len(wanted):,} users from {refold.events:,} events"
        )

    async def _refold(self, refold: Refold, number: int, wanted: set[str]) -> None:
        """Fold what is kept of some users of a partition, up to where the state has read it."""
        topics = input_topics(self._settings)
        index = {topics[name]: i for i, name in enumerate(TOPICS)}
        for parts, users in self._sources(number, wanted):
            firsts = await self._reader.firsts(parts)
            ends = {part: self._ends[part] for part in parts}
            starts = {part: min(firsts[part], ends[part]) for part in parts}
            async for records in self._reader.read(starts, ends):
                for topic, some in groupby(records, attrgetter("topic")):
                    refold.add(index[topic], list(some), users)

    def _sources(
        self, number: int, wanted: set[str]
    ) -> Iterator[tuple[list[TopicPartition], set[str]]]:
        """The partitions to read, and whose events of each count; the users' own come last."""
        meta = self._known[number]
        own = producers_only(self._settings, positions(self._settings, {number: meta}))
        if self._settings.route == "auto" or meta.was:
            others = [part for part in self._ends if part not in own]
            for part in sorted(others, key=lambda part: (part.partition, part.topic)):
                users = self._there_once(part.partition, wanted, meta.was)
                if users:
                    yield [part], users
        if own:
            yield sorted(own), wanted

    def _there_once(self, number: int, wanted: set[str], was: Sequence[int]) -> set[str]:
        """Whose events counted although they lie on another partition than their user's."""
        if self._settings.route == "auto":
            return wanted
        place = self._program.partitioner
        return {u for u in wanted if any(place(u.encode(), n) == number for n in was)}

    async def _write(self, there: Held, block: Block, refold: Refold, fields: Lacking) -> int:
        """Write the rows of a block as filled; returns how many."""
        part = TopicPartition(self._settings.changelog_topic, there.number)
        layout = self._program.layout
        described = encode_layout(layout)
        for first in range(0, len(block.users), self._at_once):
            last = first + self._at_once
            some = Block(block.layout, block.users[first:last], block.rows[first:last])
            rows = fill(some, refold, there.dictionary, fields)
            content = memoryview(rows.tobytes())
            cells = [content[i * layout.size : (i + 1) * layout.size] for i in range(len(rows))]
            records = [*encode_strings(there.dictionary.take_added())]
            if described[0] not in there.layouts:
                records.insert(0, described)
                there.layouts[described[0]] = bytes(described[1])
            records += zip(some.users, cells, strict=True)
            outputs = {part: [Outgoing(*record) for record in records]}
            await self._writer.write(outputs, lambda: self._say("writing", ""))
            self._say("written", f"partition {there.number}: {last:,}")
        return len(block.users)

    async def end(self) -> None:
        """Let workers start, which decide everybody anew."""
        outputs = {}
        for number, meta in self._known.items():
            after = msgspec.structs.replace(
                meta,
                busy="",
                revision="",
                models="",
                strings=self._strings[number],
                partitions=len(self._known),
            )
            part = TopicPartition(self._settings.changelog_topic, number)
            outputs[part] = [Outgoing(*encode_meta(after))]
        await self._writer.write(outputs, lambda: self._say("ending", ""))
        self._say("ended", "workers decide everybody's tags anew")
