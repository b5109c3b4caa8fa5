"""More partitions for an application that has state: see docs/adr/0016-repartition.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from aiokafka import TopicPartition

from stream_app.engine.changelog import Meta
from stream_app.kafka.client.administration import administration
from stream_app.kafka.client.committed import Committed, committed
from stream_app.kafka.maintenance.moving import AT_ONCE, Mover, Place, Sum
from stream_app.kafka.maintenance.offline import (
    Lag,
    OfflineError,
    Say,
    begin,
    refuse_members,
    settled,
    take_over,
    transactions,
    unread,
)
from stream_app.kafka.recovery.standing import metas
from stream_app.kafka.topics import found_of
from stream_app.kafka.topics.grow import check_growth, grow
from stream_app.kafka.topics.left import every_topic
from stream_app.settings import Settings

_LISTED = 6


@dataclass(frozen=True)
class Plan:
    """How things stand: `topics` are their partitions now, `growing` how many they shall have.

    The state is spread over `before` partitions and shall be over `after`; `begun` says that this
    was broken off. `lag` is what nobody has read yet. Inputs with another number of partitions than
    the state, which `route` allows, keep it.
    """

    before: int
    after: int
    topics: Mapping[str, int]
    growing: Mapping[str, int]
    lag: Sequence[Lag]
    begun: bool

    @property
    def done(self) -> bool:
        """Whether there is nothing to do."""
        return self.before == self.after and not self.begun


@dataclass(frozen=True)
class Done:
    """What came of it: `users` by partition; `late` events came to old partitions meanwhile."""

    before: Sum
    after: Sum
    users: Sequence[int]
    late: Sequence[Lag]


def command_line(to: int) -> str:
    """The command as workers name it while it has not ended."""
    return f"stream-app repartition --to {to} --apply"


async def look(settings: Settings, to: int) -> Plan:
    """What there is. Raises OfflineError where it cannot be done, with what can be."""
    topics, free = await _topics(settings)
    changelog = settings.changelog_topic
    parts = [TopicPartition(changelog, n) for n in range(topics[changelog])]
    async with _reader(settings) as reader:
        found = {
            part.partition: meta
            for part, (meta, _) in (await metas(reader, parts)).items()
            if meta is not None
        }
        begun = _begun(found, to)
        # As the state says itself, else as many as there are.
        told = max((meta.partitions for meta in found.values()), default=0)
        before = told or topics[changelog]
        _check_count(before, to)
        growing = {t: to for t, n in topics.items() if t not in free or n in (before, to)}
        _check_larger(topics, growing)
        lag = [] if begun else await unread(reader, settings, found, topics)
    return Plan(before, to, topics, growing, lag, begun)


async def _topics(settings: Settings) -> tuple[dict[str, int], set[str]]:
    """The partitions of all topics that have several, and which may have any number."""
    findings = await every_topic(settings)
    names = [finding.spec.name for finding in findings]
    counts = {name: found_of(findings, name) for name in names}
    missing = [name for name, found in counts.items() if found is None]
    if missing:
        raise OfflineError(
            f"there is no topic {', '.join(missing)}: where there is no state, set "
            "STREAM_APP_PARTITIONS, and `stream-app topics --apply` makes all topics"
        )
    there = {name: found.partitions for name, found in counts.items() if found is not None}
    inputs = {finding.spec.name for finding in findings if finding.spec.input}
    return there, inputs if settings.route == "auto" else set()


def _check_larger(topics: Mapping[str, int], growing: Mapping[str, int]) -> None:
    larger = [f"{topic} has {topics[topic]}" for topic, n in growing.items() if topics[topic] > n]
    if larger:
        raise OfflineError(
            f"{', '.join(larger)} partitions already, and Kafka takes none away: choose as many"
        )


def _begun(found: Mapping[int, Meta], to: int) -> bool:
    busy = {meta.busy for meta in found.values()} - {""}
    others = busy - {command_line(to)}
    if others:
        raise OfflineError(f"`{others.pop()}` was broken off: run that again first")
    return bool(busy)


def _check_count(before: int, to: int) -> None:
    if to < before:
        raise OfflineError(
            f"the state is spread over {before} partitions, and Kafka takes none away. To have "
            f"{to}, begin a new application: another STREAM_APP_APP_ID and other topics, inputs "
            f"too, with STREAM_APP_PARTITIONS={to}. Copy what the inputs keep into the new ones, "
            "let producers send there, and switch the consumers over when its lag is 0"
        )


async def repartition(
    settings: Settings, to: int, place: Place, say: Say, at_once: int = AT_ONCE
) -> Done:
    """Spread the state over `to` partitions, or go on with it.

    Raises OfflineError before anything is moved. When it raises later, is killed, or the sums
    differ afterwards, workers refuse to start until it was run again and has ended.
    """
    await refuse_members(settings)
    topics, _ = await _topics(settings)
    state = (settings.changelog_topic, settings.tag_state_topic)
    await take_over(settings, {topic: topics[topic] for topic in state})
    plan = await look(settings, to)
    if plan.lag or plan.done:
        raise OfflineError(lagging(plan.lag) if plan.lag else "somebody has done it meanwhile")
    async with administration(settings) as admin:
        await check_growth(admin, plan.growing)
    mover = Mover(settings, plan.before, plan.growing, plan.topics, place, say, at_once)
    following = await begin(settings, command_line(to), plan.before)
    say("begun", "workers refuse to start until this has ended")
    before = await _read(settings, plan, mover, following)
    async with transactions(settings) as writer:
        await mover.note(writer)
    await _grow(settings, mover)
    # Clients made now know the new partitions.
    async with transactions(settings) as writer:
        async with _reader(settings) as reader:
            for number in range(plan.before):
                await mover.move(reader, writer, number)
        await settled(settings, mover.state)
        async with _reader(settings) as reader:
            after, users = await mover.verify(reader)
            if after != before:
                return Done(before, after, users, ())
            await mover.end(writer)
            late = await unread(reader, settings, following, plan.topics)
    return Done(before, after, users, late)


def _reader(settings: Settings) -> AbstractAsyncContextManager[Committed]:
    return committed(settings.client_options(), settings.restore_timeout_s)


async def _read(settings: Settings, plan: Plan, mover: Mover, following: Mapping[int, Meta]) -> Sum:
    """What the state adds up to; where it cannot be moved, workers may start again."""
    await settled(settings, mover.state)
    try:
        async with _reader(settings) as reader:
            before = await mover.read(reader)
            # Somebody may have been at work until a moment ago.
            lag = [] if mover.noted else await unread(reader, settings, following, plan.topics)
        if lag:
            raise OfflineError(lagging(lag))
    except OfflineError:
        if not mover.noted:
            await begin(settings, "", plan.before)
        raise
    return before


async def _grow(settings: Settings, mover: Mover) -> None:
    """The state's topics first: when the inputs have grown too, new partitions refuse workers."""
    async with administration(settings) as admin:
        for topic in await grow(admin, mover.state_topics):
            mover.say("grown", topic)
        async with transactions(settings) as writer:
            await mover.prepare(writer)
        for topic in await grow(admin, mover.other_topics):
            mover.say("grown", topic)


def lagging(lag: Sequence[Lag]) -> str:
    """Why a lag is in the way, and what to do about it."""
    listed = [f"{one.part.topic} {one.part.partition}: {one.events:,}" for one in lag[:_LISTED]]
    more = ", …" if len(lag) > _LISTED else ""
    return (
        f"{sum(one.events for one in lag):,} events are not read yet ({', '.join(listed)}{more}): "
        "they lie where their users are now. Stop the producers, start the workers, wait until "
        "stream_app_lag is 0, and stop the workers"
    )
