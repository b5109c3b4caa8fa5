"""Users from where they were among some partitions to where they are among more.

Every transaction moves some users whole: row, strings, tag state; and deletes them where they were.
A user is in one place at any moment, so that to begin anew is the same as to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec
from aiokafka import TopicPartition

from stream_app.engine.changelog import STORE, Meta, encode_meta, encode_strings
from stream_app.engine.held import Figures, Held, layout_key, recoded, total
from stream_app.features.dictionary import CAPACITY
from stream_app.kafka.client.committed import Committed
from stream_app.kafka.client.writer import Outgoing
from stream_app.kafka.input_topics.positions import partitions_of_inputs, positions, spread
from stream_app.kafka.maintenance.offline import OfflineError, Say, Transactions, held
from stream_app.settings import Settings

#: Key of the record in partition 0 that keeps what the state added up to before.
NOTE: Final = b"\0repartition"
#: Users that one transaction moves.
AT_ONCE: Final = 2_000

#: Which partition a key belongs on, of so many.
Place = Callable[[bytes, int], int]
Outputs = dict[TopicPartition, list[Outgoing]]
States = dict[bytes, Outgoing]


class Sum(msgspec.Struct, frozen=True):
    """What the state adds up to, however it is spread: profiles, and records of `tag-state`."""

    profiles: Figures = Figures()
    states: Figures = Figures()

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.profiles + other.profiles, self.states + other.states)


class Mover:
    """Spreads what lies on `before` partitions over more; `topics` are the partitions now.

    `growing` says how many the topics shall have that grow, those of the state among them. In
    order: `read`, `note`, topics grow, `prepare`, `move` for each partition, `verify`, `end`.
    Whatever was done already is found done.
    """

    def __init__(
        self,
        settings: Settings,
        before: int,
        growing: Mapping[str, int],
        topics: Mapping[str, int],
        place: Place,
        say: Say,
        at_once: int = AT_ONCE,
    ) -> None:
        self.say: Final = say
        self._changelog, self._tag_state = settings.changelog_topic, settings.tag_state_topic
        state = (self._changelog, self._tag_state)
        self.state_topics: Final = {topic: growing[topic] for topic in state}
        self.other_topics: Final = {t: n for t, n in growing.items() if t not in state}
        self._before, self._after = before, growing[self._changelog]
        self._there = dict(topics)
        #: Where the state lies now.
        self.state: dict[str, int] = {topic: topics[topic] for topic in state}
        self._settings = settings
        self._place = place
        self._at_once = at_once
        #: What each partition holds beside its rows.
        self._held = [Held(number) for number in range(self._after)]
        self._sum: Sum | None = None
        self._noted = False

    @property
    def noted(self) -> bool:
        """Whether users may have moved already."""
        return self._noted

    async def read(self, reader: Committed) -> Sum:
        """Look at everything; returns what it added up to before the first user moved.

        Raises OfflineError where users are not where they should be, or strings would find no room.
        """
        found, texts = Sum(), [set[str]() for _ in self._held]
        for number in range(self._there[self._changelog]):
            there = await held(reader, self._changelog, number)
            if NOTE in there.notes:
                self._noted = True
                self._sum = msgspec.json.decode(there.notes[NOTE], type=Sum)
            leaving = self._leaving(there.rows, number)
            self._check_places(there, leaving)
            for target, users in leaving.items():
                texts[target] |= there.texts(users)
            states = await self._states(reader, number)
            found += Sum(there.figures(), _figures(states))
            there.rows.clear()
            self._held[number] = there
            self.say("read", f"partition {number}")
        self._check_room(texts)
        self._sum = self._sum or found
        return self._sum

    def _check_places(self, there: Held, leaving: Mapping[int, Sequence[bytes]]) -> None:
        before, number = self._before, there.number
        if number >= before and there.rows and not self._noted:
            raise OfflineError(
                f"partition {number} has {len(there.rows)} profiles already, although the state is "
                f"spread over {before}: somebody added partitions by hand, and workers began there "
                "from nothing. Restore a backup from before that"
            )
        strays = sum(self._place(u, before) != number for some in leaving.values() for u in some)
        if strays:
            raise OfflineError(
                f"{strays} of {len(there.rows)} profiles of partition {number} belong elsewhere: "
                "is `partitioner` in the catalogue that of the producers, and were there "
                f"{before} partitions so far?"
            )

    def _check_room(self, texts: Sequence[set[str]]) -> None:
        for there, more in zip(self._held, texts, strict=True):
            wanted = len(more.union(there.dictionary.values.known)) - 1
            if more and wanted > CAPACITY:
                raise OfflineError(
                    f"partition {there.number} would name {wanted:,} strings, and has room for "
                    f"{CAPACITY:,}: choose a multiple of {self._before}, by which users move to "
                    "new partitions only"
                )

    def _leaving(self, users: Collection[bytes], number: int) -> dict[int, list[bytes]]:
        """Who leaves partition `number`, by where to."""
        found: dict[int, list[bytes]] = {}
        for user in users:
            target = self._place(user, self._after)
            if target != number:
                found.setdefault(target, []).append(user)
        return found

    async def _states(self, reader: Committed, number: int) -> States:
        """The records of `tag-state` of a partition, by user."""
        found: States = {}
        part = TopicPartition(self._tag_state, number)
        if number < self._there[part.topic]:
            async for records in reader.read(await reader.firsts([part])):
                for record in records:
                    found[record.key] = Outgoing(record.key, record.value, list(record.headers))
        return {key: state for key, state in found.items() if state.value is not None}

    async def note(self, writer: Transactions) -> None:
        """Keep what the state adds up to until all is done.

        Local stores are disowned before any user leaves: a worker that comes back to one when
        compaction has taken the deletions away finds its name gone as well, and restores anew.
        """
        stores = [there.number for there in self._held if STORE in there.notes]
        outputs: Outputs = {self._rows_of(number): [_deleted(STORE)] for number in stores}
        if not self._noted:
            record = Outgoing(NOTE, msgspec.json.encode(self._sum))
            outputs.setdefault(self._rows_of(0), []).append(record)
        if outputs:
            await writer.write(outputs, lambda: self.say("noting", ""))
        self.say("noted", "what the state adds up to")

    async def prepare(self, writer: Transactions) -> None:
        """Have new partitions refuse workers."""
        self._there |= self.state_topics
        self.state |= self.state_topics
        metas: Outputs = {}
        for there in self._held[self._before :]:
            if there.meta is None:
                there.meta = msgspec.structs.replace(
                    self._meta(0),
                    next={},
                    partitions=self._before,
                    strings=0,
                )
                metas[self._rows_of(there.number)] = [Outgoing(*encode_meta(there.meta))]
        if metas:
            await writer.write(metas, lambda: self.say("preparing", ""))
        self.say("prepared", "new partitions refuse workers too")

    async def move(self, reader: Committed, writer: Transactions, number: int) -> None:
        """Move who does not belong on partition `number` any more."""
        there = await held(reader, self._changelog, number)
        states = await self._states(reader, number)
        everybody = dict.fromkeys((*there.rows, *states))
        leaving = [user for to in self._leaving(everybody, number).values() for user in to]
        for first in range(0, len(leaving), self._at_once):
            some = leaving[first : first + self._at_once]
            outputs = self._outputs(there, states, some)
            await writer.write(outputs, lambda: self.say("moving", f"partition {number}"))
            done = min(first + self._at_once, len(leaving))
            self.say("moved", f"partition {number}: {done:,} of {len(leaving):,} users")

    def _outputs(self, there: Held, states: States, some: Iterable[bytes]) -> Outputs:
        """What moves some users of a partition."""
        outputs: Outputs = {}
        for target, users in self._leaving(dict.fromkeys(some), there.number).items():
            kept = [user for user in users if user in there.rows]
            told = [user for user in users if user in states]
            outputs[self._rows_of(target)] = self._arriving(there, self._held[target], kept)
            outputs.setdefault(self._rows_of(there.number), []).extend(map(_deleted, kept))
            outputs[TopicPartition(self._tag_state, target)] = [states[user] for user in told]
            gone = outputs.setdefault(TopicPartition(self._tag_state, there.number), [])
            gone.extend(map(_deleted, told))
        return {part: records for part, records in outputs.items() if records}

    @staticmethod
    def _arriving(there: Held, target: Held, users: Collection[bytes]) -> list[Outgoing]:
        """The rows of users for another partition, behind the strings and layouts they need."""
        rows: list[Outgoing] = []
        before: list[Outgoing] = []
        for block in there.blocks(users):
            key = layout_key(block.layout.fingerprint)
            if key not in target.layouts:
                target.layouts[key] = there.layouts[key]
                before.append(Outgoing(key, there.layouts[key]))
            rows += [Outgoing(*row) for row in recoded(block, there.dictionary, target.dictionary)]
        before += [Outgoing(*text) for text in encode_strings(target.dictionary.take_added())]
        return before + rows

    async def verify(self, reader: Committed) -> tuple[Sum, list[int]]:
        """What all adds up to now, and the users of each partition; each must be at home."""
        found, users = Sum(), []
        for number in range(self._after):
            there = await held(reader, self._changelog, number)
            states = await self._states(reader, number)
            lost = self._leaving((*there.rows, *states), number)
            if lost:
                raise OfflineError(f"partition {number} still has users of {sorted(lost)}")
            found += Sum(there.figures(), _figures(states))
            users.append(len(there.rows))
            self.say("verified", f"partition {number}: {len(there.rows):,} users")
        return found, users

    async def end(self, writer: Transactions) -> None:
        """Let workers of the new number of partitions start."""
        metas_before = {number: self._meta(number) for number in range(self._before)}
        known = positions(self._settings, metas_before)
        for part in partitions_of_inputs(self._settings, self.other_topics):
            if part.partition >= self._before:
                # What was added is read from its beginning, whatever retention does.
                known.setdefault(part, 0)
        metas: Outputs = {
            self._rows_of(number): [Outgoing(*encode_meta(self._meta_after(number, following)))]
            for number, following in enumerate(spread(self._settings, self._after, known))
        }
        metas[self._rows_of(0)].append(_deleted(NOTE))
        await writer.write(metas, lambda: self.say("ending", ""))
        self.say("ended", f"the state is spread over {self._after} partitions")

    def _meta(self, number: int) -> Meta:
        meta = self._held[number].meta
        assert meta is not None
        return meta

    def _meta_after(self, number: int, following: Mapping[str, int]) -> Meta:
        """Time never falls for anybody: that of a partition is the latest of whence users came."""
        own = self._meta(number)
        # By the rest of a hash: of a multiple of the partitions, one is where users come from.
        by_rest = self._after % self._before == 0
        sources = [number % self._before] if by_rest else range(self._before)
        metas = [self._meta(n) for n in sources]
        known = [meta for meta in metas if meta.time] or metas
        return msgspec.structs.replace(
            own,
            next=dict(following),
            time=max(meta.time for meta in metas),
            seen=max(meta.seen for meta in metas),
            pause=max(meta.pause for meta in metas),
            layout=own.layout or known[0].layout,
            strings=len(self._held[number].dictionary),
            revision=_common({meta.revision for meta in known}),
            models=_common({meta.models for meta in known}),
            partitions=self._after,
            busy="",
            was=(*self._meta(0).was, self._before),
            # Who moved was not counted.
            users=None,
            tags=None,
        )

    def _rows_of(self, number: int) -> TopicPartition:
        return TopicPartition(self._changelog, number)


def _figures(states: States) -> Figures:
    return total({key: bytes(state.value or b"") for key, state in states.items()})


def _deleted(key: bytes) -> Outgoing:
    return Outgoing(key, None)


def _common(values: set[str]) -> str:
    """What all agree on; otherwise nothing, and everybody is decided anew."""
    return values.pop() if len(values) == 1 else ""
