"""One round of one partition: records and due rows in, the next rows and all outputs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import TOPICS, EventBatch
from stream_app.domain.errors import Reason, Rejected
from stream_app.engine.outputs import Outputs, publish
from stream_app.engine.profiles import Profiles

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
    """What a round did. Nothing of it counts until its transaction is committed."""

    rejected: list[Rejected]
    events: tuple[int, ...]
    duplicates: tuple[int, ...]
    outputs: Outputs
    strings: list[tuple[int, str]] = field(default_factory=list)
    touched: int = 0
    due: int = 0


def step(
    profiles: Profiles,
    records: Sequence[Sequence[Record]],
    *,
    floor: int = 0,
    emitted_at: int = 0,
    due_limit: int = DUE_LIMIT,
) -> Step:
    """Fold `records` (clicks, purchases; each in log order) into `profiles` and decide tags.

    `floor` raises partition time (wall clock, ms) beyond what the events say. Rows whose `due` has
    come are decided in the same round, at most `due_limit` of them. `profiles` is changed in place:
    a caller that cannot commit the result must discard it.
    """
    decoded = profiles.program.decoder.decode(records)
    batch, slots, misrouted = _place(profiles, decoded.batch, records)
    profiles.time = max(profiles.time, floor, int(batch.at.max(initial=0)))
    due = profiles.due_slots(profiles.time, due_limit)
    touched, index = _touched(slots, due)
    if not len(touched):
        return Step(decoded.rejected + misrouted, (0,) * len(TOPICS), (0,) * len(TOPICS), Outputs())
    rows = profiles.gather(touched)
    folded = profiles.program.features.fold(rows, index, batch, profiles.dictionary)
    outputs = publish(profiles, touched, rows, index, batch, emitted_at)
    profiles.scatter(touched, rows)
    return Step(
        rejected=decoded.rejected + misrouted,
        events=tuple(int(n) for n in np.bincount(batch.topic, minlength=len(TOPICS))),
        duplicates=tuple(
            int(n) for n in np.bincount(batch.topic[folded.duplicates], minlength=len(TOPICS))
        ),
        outputs=outputs,
        strings=profiles.dictionary.take_added(),
        touched=len(touched),
        due=len(due),
    )


def _place(
    profiles: Profiles, batch: EventBatch, records: Sequence[Sequence[Record]]
) -> tuple[EventBatch, NDArray[np.intp], list[Rejected]]:
    """Find the row of every event and make rows for new users, whose partition is checked."""
    find = profiles.slots.get
    found = [find(user, -1) for user in batch.user]
    slots = np.array(found, dtype=np.intp)
    if -1 not in found:
        return batch, slots, []
    unknown = np.flatnonzero(slots < 0)
    users = list(dict.fromkeys(batch.user[i] for i in unknown))
    program = profiles.program
    right = {
        user: program.partitioner(user.encode(), profiles.partitions) == profiles.number
        for user in users
    }
    profiles.add([user for user in users if right[user]])
    slots[unknown] = [find(batch.user[i], -1) for i in unknown]
    keep = slots >= 0
    if keep.all():
        return batch, slots, []
    rejected = _misrouted(profiles, batch, np.flatnonzero(~keep), records)
    return batch.select(keep), slots[keep], rejected


def _misrouted(
    profiles: Profiles,
    batch: EventBatch,
    events: NDArray[np.intp],
    records: Sequence[Sequence[Record]],
) -> list[Rejected]:
    positions = [{record.offset: i for i, record in enumerate(log)} for log in records]
    partitioner, partitions = profiles.program.shop.partitioner, profiles.partitions
    place = profiles.program.partitioner
    return [
        Rejected(
            topic=int(batch.topic[i]),
            position=positions[batch.topic[i]][int(batch.offset[i])],
            reason=Reason.MISROUTED,
            detail=(
                f"user {batch.user[i]!r} is on partition {profiles.number}, {partitioner} puts it "
                f"on {place(batch.user[i].encode(), partitions)} of {partitions}: key the records "
                f"by user id, or declare the producers' `partitioner` in the catalogue"
            ),
        )
        for i in events
    ]


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
