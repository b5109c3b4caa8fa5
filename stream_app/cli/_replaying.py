"""Checked lines of files into a replay, judged for time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from stream_app.data.checks import BadLine, Checked
from stream_app.domain.clock import to_rfc3339
from stream_app.domain.errors import Reason
from stream_app.engine.replay import Event, Replay, ReplayRecord
from stream_app.engine.step import Step

#: An event further ahead of all before it is taken for a wrong clock, not for a quiet month.
MAX_JUMP_MS: Final = 31 * 86_400_000


@dataclass(slots=True)
class Tally:
    """What a replay has done so far; `by_class` counts tags that were added."""

    events: int = 0
    duplicates: int = 0
    changes: int = 0
    by_class: dict[str, int] = field(default_factory=dict)

    def add(self, step: Step) -> None:
        """Count a step."""
        self.events += sum(step.events)
        self.duplicates += sum(step.duplicates)
        self.changes += len(step.outputs.changes)
        for change in step.outputs.changes:
            if change.action == "added":
                self.by_class[change.cls] = self.by_class.get(change.cls, 0) + 1


class FileReplay:
    """Feeds checked chunks to a replay.

    A file has no Kafka timestamps to judge an event's time by, so each is judged by the events
    before it: further than `max_jump_ms` ahead of all of them is refused as `future`.
    """

    def __init__(self, replay: Replay, max_jump_ms: int = MAX_JUMP_MS) -> None:
        self.replay = replay
        self.tally = Tally()
        self._max_jump_ms = max_jump_ms
        self._newest: int | None = None

    def feed(self, chunk: Checked) -> Iterator[tuple[Step | None, list[BadLine]]]:
        """Fold a chunk; yields steps, each with the lines that were refused with it."""
        events, early = self._judge(chunk)
        if early:
            yield None, early
        for step, refused in self.replay.feed(events):
            self.tally.add(step)
            yield (
                step,
                [
                    BadLine(chunk.file, record.offset, r.reason, r.detail, record.value)
                    for record, r in refused
                ],
            )

    def finish(self, as_of: int | None = None) -> Iterator[Step]:
        """Bring everyone to `as_of` (ms), by default to the end of the events."""
        for step in self.replay.finish(as_of):
            self.tally.add(step)
            yield step

    def _judge(self, chunk: Checked) -> tuple[list[Event], list[BadLine]]:
        events: list[Event] = []
        early: list[BadLine] = []
        newest = self._newest
        columns = (chunk.topic, chunk.user, chunk.value, chunk.at.tolist(), chunk.line.tolist())
        for topic, user, value, at, line in zip(*columns, strict=True):
            if newest is not None and at > newest + self._max_jump_ms:
                detail = self._jump(at, newest)
                early.append(BadLine(chunk.file, line, Reason.FUTURE, detail, value))
                continue
            newest = at if newest is None else max(newest, at)
            events.append(Event(topic, user, at, ReplayRecord(value, newest, line)))
        self._newest = newest
        return events, early

    def _jump(self, at: int, newest: int) -> str:
        return (
            f"occurred_at {to_rfc3339(at)} is over {self._max_jump_ms / 86_400_000:g} days after "
            f"every event before it (newest {to_rfc3339(newest)}); see --max-jump"
        )
