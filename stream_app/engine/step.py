"""One round of one partition: records and due rows in, the next rows and all outputs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import TOPICS, EventBatch
from stream_app.domain.errors import Misplaced, Reason, Rejected
from stream_app.engine.forgetting import forget
from stream_app.engine.outputs import KeyValue, Outputs, publish
from stream_app.engine.profiles import Profiles
from stream_app.engine.retention import running_max

#: Most due rows that one step takes beside its events.
DUE_LIMIT: Final = 5_000


class Record(Protocol):
    """A source record: aiokafka's ConsumerRecord has this shape."""

    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def offset(self) -> int: ...


@dataclass(slots=True)
class Step:
    """What a round did. Nothing of it counts until its transaction is committed.

    `training` are the records of day ends, in order; see `sampling`. `misplaced` are those that
    were asked for.
    """

    rejected: list[Rejected] = field(default_factory=list)
    misplaced: list[Misplaced] = field(default_factory=list)
    events: tuple[int, ...] = (0,) * len(TOPICS)
    duplicates: tuple[int, ...] = (0,) * len(TOPICS)
    outputs: Outputs = field(default_factory=Outputs)
    strings: list[tuple[int, str]] = field(default_factory=list)
    touched: int = 0
    due: int = 0
    training: list[KeyValue] = field(default_factory=list)


def step(
    profiles: Profiles,
    records: Sequence[Sequence[Record]],
    *,
    floor: int = 0,
    emitted_at: int = 0,
    due_limit: int = DUE_LIMIT,
    route: bool = False,
) -> Step:
    """Fold `records` (clicks, purchases; each in log order) into `profiles` and decide tags.

    `floor` raises partition time (wall clock, ms) beyond what the events say. Rows whose `due` has
    come are decided in the same round, at most `due_limit` of them. Where users are sampled at the
    ends of days, what comes after such an end is folded after the sample was taken. `profiles` is
    changed in place: a caller that cannot commit the result must discard it. Events of users of
    other partitions are refused; with `route` they are `misplaced` instead.
    """
    profiles.settle()
    decoded = profiles.program.decoder.decode(records)
    batch, slots, misplaced = _place(profiles, decoded.batch)
    result = Step(decoded.rejected, misplaced)
    if misplaced and not route:
        result.rejected += [misrouted(profiles, one) for one in misplaced]
        result.misplaced = []
    time = max(profiles.time, floor, int(batch.at.max(initial=0)))
    sampler = profiles.program.sampler
    if sampler is not None:
        for end in sampler.day_ends(profiles, batch.at, time):
            before = _until(batch, end)
            if before.any():
                sampler.see(profiles, batch.at[before])
                earlier = batch.select(before)
                _fold(profiles, earlier, slots[before], records, result, emitted_at, 0)
                batch, slots = batch.select(~before), slots[~before]
            result.training += sampler.sample(profiles, end)
        sampler.see(profiles, batch.at)
    _fold(profiles, batch, slots, records, result, emitted_at, due_limit, floor)
    result.strings = profiles.dictionary.take_added()
    return result


def _until(batch: EventBatch, end: int) -> NDArray[np.bool_]:
    """Which events come before the first one of their topic that is not before `end` (ms).

    By the log's order, which sessions depend on: a late event stays behind those it came after.
    """
    before = batch.at < end
    for topic in range(len(TOPICS)):
        of = batch.topic == topic
        before[of] = np.logical_and.accumulate(before[of])
    return before


def _fold(
    profiles: Profiles,
    batch: EventBatch,
    slots: NDArray[np.intp],
    records: Sequence[Sequence[Record]],
    result: Step,
    emitted_at: int,
    due_limit: int,
    floor: int = 0,
) -> None:
    """Fold events into their rows, decide these and the rows that are due, and add to `result`.

    Events that end a row are folded after those before. It is `floor` (ms) afterwards, or later.
    """
    before = max(profiles.time, floor)
    profiles.time = max(before, int(batch.at.max(initial=0)))
    retention = profiles.program.retention
    reached = np.full(len(slots), profiles.time)
    if retention is not None and retention.spans(batch.at):
        reached = np.maximum(before, running_max(batch.at, batch.topic.astype(np.intp)))
        *parts, last = retention.parts(slots, batch)
        for part in parts:
            some, whose = batch.select(part), slots[part]
            _fold_at_once(profiles, some, whose, records, result, emitted_at, 0, reached[part])
        batch, slots, reached = batch.select(last), slots[last], reached[last]
    _fold_at_once(profiles, batch, slots, records, result, emitted_at, due_limit, reached)


def _fold_at_once(
    profiles: Profiles,
    batch: EventBatch,
    slots: NDArray[np.intp],
    records: Sequence[Sequence[Record]],
    result: Step,
    emitted_at: int,
    due_limit: int,
    reached: NDArray[np.int64],
) -> None:
    """Fold events of which none ends a row in the middle.

    `reached` (n,) is partition time at each, or later by less than the retention.
    """
    due = profiles.due_slots(profiles.time, due_limit)
    touched, index = _touched(slots, due)
    if not len(touched):
        return
    profiles.bring(touched, slots)
    rows = profiles.gather(touched)
    result.touched += len(touched)
    result.due += len(due)
    retention = profiles.program.retention
    if retention is not None:
        touched, rows, index, told = forget(
            profiles, retention, touched, rows, index, batch, emitted_at
        )
        result.outputs = result.outputs.then(told)
        if not len(touched):
            return
        fresh = rows["born"] == 0
    folded = profiles.program.features.fold(rows, index, batch, profiles.dictionary)
    if retention is not None:
        retention.begin(rows, fresh, index, reached)
    outputs = publish(profiles, touched, rows, index, batch, records, emitted_at)
    profiles.scatter(touched, rows)
    result.outputs = result.outputs.then(outputs)
    result.events = _add(result.events, batch.topic)
    result.duplicates = _add(result.duplicates, batch.topic[folded.duplicates])


def _add(counts: tuple[int, ...], topics: NDArray[np.uint8]) -> tuple[int, ...]:
    more = np.bincount(topics, minlength=len(TOPICS)).tolist()
    return tuple(a + b for a, b in zip(counts, more, strict=True))


def _place(
    profiles: Profiles, batch: EventBatch
) -> tuple[EventBatch, NDArray[np.intp], list[Misplaced]]:
    """Find the row of every event and make rows for new users, whose partition is checked.

    Users of other partitions never get a row, so what is placed well costs no check.
    """
    slots = profiles.find(batch.user)
    unknown = np.flatnonzero(slots < 0).tolist()
    if not unknown:
        return batch, slots, []
    place, partitions, number = profiles.program.partitioner, profiles.partitions, profiles.number
    places = {
        user: place(user.encode(), partitions)
        for user in dict.fromkeys(batch.user[i] for i in unknown)
    }
    profiles.add([user for user, at in places.items() if at == number])
    slots[unknown] = profiles.find([batch.user[i] for i in unknown])
    keep = slots >= 0
    if keep.all():
        return batch, slots, []
    elsewhere = np.flatnonzero(~keep).tolist()
    topics, positions = batch.topic.tolist(), batch.position.tolist()
    misplaced = [
        Misplaced(topics[i], positions[i], batch.user[i], places[batch.user[i]]) for i in elsewhere
    ]
    return batch.select(keep), slots[keep], misplaced


def misrouted(profiles: Profiles, misplaced: Misplaced) -> Rejected:
    """Return the refusal of an event whose user belongs to another partition."""
    partitioner, partitions = profiles.program.shop.partitioner, profiles.partitions
    return Rejected(
        topic=misplaced.topic,
        position=misplaced.position,
        reason=Reason.MISROUTED,
        detail=(
            f"user {misplaced.user!r} is on partition {profiles.number}, {partitioner} puts it "
            f"on {misplaced.partition} of {partitions}: key the records by user id, or declare "
            f"the producers' `partitioner` in the catalogue"
        ),
    )


def _touched(
    slots: NDArray[np.intp], due: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the distinct slots to work on, and each event's index into them."""
    both = np.concatenate((slots, due))
    # By hand: what np.unique does beside costs more than small batches themselves.
    order = both.argsort()
    ascending = both[order]
    new = np.ones(len(both), np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=new[1:])
    index = np.empty(len(both), np.intp)
    index[order] = new.cumsum() - 1
    return ascending[new], index[: len(slots)]
