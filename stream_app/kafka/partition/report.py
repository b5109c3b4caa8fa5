"""What a round tells the metrics: a few numbers, so that nothing else of it has to stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from stream_app.domain.batch import TOPICS
from stream_app.engine.step import Step
from stream_app.metrics import Metrics

#: Stands for no segment.
_NONE: Final = "none"


@dataclass(frozen=True, slots=True)
class Report:
    """Counts by topic, reason, tag and action, and segments before and after; `caused_at` are the
    Kafka timestamps (ms) of the records that caused changes, one a record. Of `events` those that
    were `routed` away are no part. `forgotten` are users.
    """

    events: tuple[int, ...]
    routed: tuple[int, ...]
    duplicates: tuple[int, ...]
    rejected: Counter[tuple[str, ...]]
    changes: Counter[tuple[str, ...]]
    moves: Counter[tuple[str, ...]]
    caused_at: list[int]
    forgotten: int

    @classmethod
    def of(cls, records: Sequence[Sequence[Any]], result: Step) -> Report:
        """Look at a round of `records` that was folded and is not committed yet."""
        changes, routed = result.outputs.changes, Counter(one.topic for one in result.misplaced)
        topics = range(len(TOPICS))
        return cls(
            events=tuple(len(records[topic]) - routed[topic] for topic in topics),
            routed=tuple(routed[topic] for topic in topics),
            duplicates=result.duplicates,
            rejected=Counter((rejected.reason.value,) for rejected in result.rejected),
            changes=Counter((change.tag, change.action) for change in changes),
            moves=Counter(
                (str(change.previous or _NONE), str(change.value or _NONE))
                for change in changes
                if change.cls == "segment"
            ),
            caused_at=result.outputs.caused_at,
            forgotten=result.outputs.forgotten,
        )

    def count(self, metrics: Metrics, now_ms: int) -> None:
        """Add it to `metrics` after the commit, which was at `now_ms`."""
        counted = zip(TOPICS, self.events, self.duplicates, self.routed, strict=True)
        for name, events, duplicates, routed in counted:
            metrics.count("events", events, topic=name)
            metrics.count("duplicates", duplicates, topic=name)
            metrics.count("routed", routed, topic=name)
        metrics.count_each("rejected", self.rejected)
        metrics.count_each("tag_changes", self.changes)
        metrics.count_each("segment_moves", self.moves)
        metrics.count("forgotten_users", self.forgotten)
        metrics.count("transactions", outcome="committed")
        metrics.observe("batch_size", sum(self.events) + sum(self.routed))
        if self.caused_at:
            delays = (now_ms - np.array(self.caused_at)) / 1000
            metrics.observe("event_to_change_seconds", delays)
