"""What a round tells the metrics: a few numbers, so that nothing else of it has to stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stream_app.domain.batch import TOPICS
from stream_app.domain.changes import TagChange
from stream_app.engine.step import Step
from stream_app.kafka.queue import Taken
from stream_app.metrics import Metrics

#: Stands for no segment.
_NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class Report:
    """Counts by topic, reason, tag and action, and segments before and after; `caused_at` are the
    Kafka timestamps (ms) of the records that caused changes, one a record.
    """

    events: tuple[int, ...]
    duplicates: tuple[int, ...]
    rejected: Counter[tuple[str, ...]]
    changes: Counter[tuple[str, ...]]
    moves: Counter[tuple[str, ...]]
    caused_at: list[int]

    @classmethod
    def of(cls, taken: Taken, result: Step) -> Report:
        """Look at a round that was folded and is not committed yet."""
        changes = result.outputs.changes
        return cls(
            events=tuple(map(len, taken.records)),
            duplicates=result.duplicates,
            rejected=Counter((rejected.reason.value,) for rejected in result.rejected),
            changes=Counter((change.tag, change.action) for change in changes),
            moves=Counter(
                (str(change.previous or _NONE), str(change.value or _NONE))
                for change in changes
                if change.cls == "segment"
            ),
            caused_at=_caused_at(taken, changes),
        )

    def count(self, metrics: Metrics, now_ms: int) -> None:
        """Add it to `metrics` after the commit, which was at `now_ms`."""
        for name, events, duplicates in zip(TOPICS, self.events, self.duplicates, strict=True):
            metrics.count("events", events, topic=name)
            metrics.count("duplicates", duplicates, topic=name)
        metrics.count_each("rejected", self.rejected)
        metrics.count_each("tag_changes", self.changes)
        metrics.count_each("segment_moves", self.moves)
        metrics.count("transactions", outcome="committed")
        metrics.observe("batch_size", sum(self.events))
        if self.caused_at:
            delays = (now_ms - np.array(self.caused_at)) / 1000
            metrics.observe("event_to_change_seconds", delays)


def _caused_at(taken: Taken, changes: Sequence[TagChange]) -> list[int]:
    causes = {(c.cause.topic, c.cause.offset) for c in changes if c.cause is not None}
    if not causes:
        return []
    return [
        record.timestamp
        for topic, name in enumerate(TOPICS)
        for record in taken.records[topic]
        if (name, record.offset) in causes
    ]
