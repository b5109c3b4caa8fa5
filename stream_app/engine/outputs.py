"""What a step publishes: tag changes with their reasons, tag states, and changed rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import TOPICS, EventBatch
from stream_app.domain.changes import Because, Cause, Source, TagChange, TagState, encode
from stream_app.engine.profiles import Profiles
from stream_app.tagging import Decision

KeyValue = tuple[bytes, bytes]
#: Rows read at a time.
_SLICE: Final = 10_000


@dataclass(slots=True)
class Outputs:
    """Records to publish, keyed by user id, and the decisions behind them."""

    changes: list[TagChange] = field(default_factory=list)
    states: list[TagState] = field(default_factory=list)
    rows: list[KeyValue] = field(default_factory=list)

    def encode_rows(
        self, profiles: Profiles, touched: NDArray[np.intp], rows: NDArray[np.void]
    ) -> None:
        """Cut the changed rows into changelog records; the row's first field names its layout."""
        size, block, users = rows.dtype.itemsize, rows.tobytes(), profiles.users
        self.rows = [
            (users[slot].encode(), block[at : at + size])
            for slot, at in zip(touched.tolist(), range(0, len(block), size), strict=True)
        ]

    def encoded_changes(self) -> list[KeyValue]:
        """Return the records for the `tags` topic."""
        return [(change.user_id.encode(), encode(change)) for change in self.changes]

    def encoded_states(self) -> list[KeyValue]:
        """Return the records for the `tag-state` topic."""
        return [(state.user_id.encode(), encode(state)) for state in self.states]


def publish(
    profiles: Profiles,
    touched: NDArray[np.intp],
    rows: NDArray[np.void],
    index: NDArray[np.intp],
    batch: EventBatch,
    emitted_at: int,
) -> Outputs:
    """Decide the tags of `rows` (m,) at partition time and write `due`; return what changed."""
    program, now = profiles.program, profiles.time
    values = program.features.values(rows, now, profiles.dictionary)
    decisions = program.tags.decide(rows, values, now, profiles.dictionary.values)
    passing = program.features.due(rows, now, program.thresholds, program.opaque)
    rows["due"] = np.minimum(passing, decisions.due)
    outputs = Outputs()
    if not decisions.changes:
        return outputs
    causes = _last_events(len(rows), index, batch)
    changed: dict[int, int] = {}
    for decision in decisions.changes:
        i = decision.row
        version = changed.get(i) or int(rows["version"][i])
        changed[i] = version + 1
        cause = None if causes[i] < 0 else _cause(profiles, batch, int(causes[i]))
        user = profiles.users[touched[i]]
        born = int(rows["born"][i])
        outputs.changes.append(_change(decision, user, born, version + 1, now, emitted_at, cause))
    for i, version in changed.items():
        rows["version"][i] = version
        outputs.states.append(_state(profiles, rows, i, profiles.users[touched[i]]))
    return outputs


def _last_events(m: int, index: NDArray[np.intp], batch: EventBatch) -> NDArray[np.intp]:
    """Return for each of m rows its latest event by event time, -1 where it has none."""
    last = np.full(m, -1, dtype=np.intp)
    order = np.argsort(batch.at, kind="stable")
    last[index[order]] = order
    return last


def _cause(profiles: Profiles, batch: EventBatch, event: int) -> Cause:
    return Cause(
        topic=TOPICS[batch.topic[event]],
        partition=profiles.number,
        offset=int(batch.offset[event]),
        event_id=batch.event_id[event],
    )


def _change(
    decision: Decision,
    user: str,
    born: int,
    version: int,
    now: int,
    emitted_at: int,
    cause: Cause | None,
) -> TagChange:
    return TagChange(
        change_id=f"{user}:{born}:{version}",
        user_id=user,
        tag=decision.tag,
        cls=decision.cls,
        action=decision.action,
        value=decision.value,
        previous=decision.previous,
        confidence=decision.confidence,
        version=version,
        occurred_at=now,
        emitted_at=emitted_at,
        valid_until=decision.valid_until,
        source=Source(kind=decision.source_kind, name=decision.tag, revision=decision.revision),
        because=[
            Because(feature=c.feature, value=c.value, op=c.op, threshold=c.threshold)
            for c in decision.because
        ],
        cause=cause,
    )


def _state(profiles: Profiles, rows: NDArray[np.void], i: int, user: str) -> TagState:
    return TagState(
        user_id=user,
        born=int(rows["born"][i]),
        version=int(rows["version"][i]),
        as_of=profiles.time,
        tags=profiles.program.tags.state(rows, i, profiles.dictionary.values),
    )


def tag_states(profiles: Profiles) -> Iterator[TagState]:
    """Yield the tag state of every user that has had a tag."""
    for first in range(0, len(profiles), _SLICE):
        slots = np.arange(first, min(first + _SLICE, len(profiles)), dtype=np.intp)
        rows = profiles.gather(slots)
        for i in np.flatnonzero(rows["version"] > 0).tolist():
            yield _state(profiles, rows, i, profiles.users[first + i])
