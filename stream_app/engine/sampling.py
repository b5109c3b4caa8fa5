"""Examples for learning: at the end of each UTC day, what was known of some users by then.

Users are drawn by clock and user, silent ones included: a sample drawn from events would never see
those who have become silent. An outcome is a later look at the same user by the same rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.clock import DAY
from stream_app.domain.expression import Frame
from stream_app.engine.models import Scores
from stream_app.engine.outputs import KeyValue
from stream_app.engine.profiles import Profiles
from stream_app.features import Values
from stream_app.learning.declaration import Learning, Task
from stream_app.learning.sampling import Hashes, held_out, units
from stream_app.learning.training import (
    DayEnd,
    Example,
    Outcome,
    Sampled,
    columns_id,
    encode,
)

Slots = NDArray[np.intp]
#: Key of the records that are about no user.
_DAY_KEY: Final = b"\0day:%d"
#: Users looked at together.
_SLICE: Final = 10_000


class Sampler:
    """Draws the samples of declared tasks and segments; `Program.sampler`."""

    def __init__(self, learning: Learning) -> None:
        self._learning = learning
        self._columns_id = columns_id(learning.columns)
        self._longest = max((task.horizon_ms for task in learning.tasks), default=0)

    def see(self, profiles: Profiles, at: NDArray[np.int64]) -> None:
        """Note the times (ms) of events that are folded next."""
        profiles.feed.take(at, self._learning.max_gap_ms)

    def day_ends(self, profiles: Profiles, at: NDArray[np.int64], until: int) -> list[int]:
        """Return the day ends (ms) between partition time and `until`, ascending.

        `at` are the times of the events that take it there. Day ends so long after the last event
        that no example can be open any more are left out.
        """
        since = profiles.time or int(at.min(initial=until))
        ends = [day * DAY for day in range(since // DAY + 1, until // DAY + 1)]
        open_for = self._longest + self._learning.max_gap_ms + DAY
        seen = profiles.feed.seen
        return [end for end in ends if end - at.max(initial=seen, where=at < end) <= open_for]

    def sample(self, profiles: Profiles, end: int) -> list[KeyValue]:
        """Return the `training` records of the day that ends at `end`; nothing later is folded."""
        pause = profiles.feed.end_day(end)
        records: list[KeyValue] = []
        if pause <= self._learning.max_gap_ms:
            records += self._outcomes(profiles, end)
            records += self._examples(profiles, end)
        day = DayEnd(
            partition=profiles.number,
            partitions=profiles.partitions,
            at=end,
            columns=list(self._learning.columns),
            gap_ms=pause,
            # Others' first event is folded later; they have rows already, with nothing in them.
            users=int(np.count_nonzero(profiles.born())),
        )
        return [*records, (_DAY_KEY % profiles.number, encode(day))]

    def _outcomes(self, profiles: Profiles, end: int) -> Iterator[KeyValue]:
        for task in self._learning.tasks:
            sampled_at = end - task.horizon_ms
            if not _due(task, sampled_at):
                continue
            for chosen in _chosen(profiles.hashes(), sampled_at, task.rate):
                view = _look(profiles, chosen, before=sampled_at, at=end)
                if len(view.slots):
                    yield from self._outcomes_of(profiles, view, task, end)

    def _outcomes_of(
        self, profiles: Profiles, view: _View, task: Task, end: int
    ) -> Iterator[KeyValue]:
        values = task.outcome.values(view.frame).tolist()
        for user, value in zip(view.users, values, strict=True):
            outcome = Outcome(
                user_id=user,
                partition=profiles.number,
                at=end,
                task=task.name,
                sampled_at=end - task.horizon_ms,
                value=value,
            )
            yield user.encode(), encode(outcome)

    def _examples(self, profiles: Profiles, end: int) -> Iterator[KeyValue]:
        tasks = [task for task in self._learning.tasks if _due(task, end)]
        segments = self._learning.segmentation
        rates = [task.rate for task in tasks] + ([segments.rate] if segments else [])
        for chosen in _chosen(profiles.hashes(), end, max(rates, default=0.0)):
            view = _look(profiles, chosen, before=end, at=end)
            if len(view.slots):
                yield from self._examples_of(profiles, view, tasks, end)

    def _examples_of(
        self, profiles: Profiles, view: _View, tasks: Sequence[Task], end: int
    ) -> Iterator[KeyValue]:
        learning, segments = self._learning, self._learning.segmentation
        drawn = profiles.hashes()[view.slots]
        order = units(drawn, end // DAY)
        chosen = {task: order < task.rate for task in tasks}
        retention = profiles.program.retention
        for task in tasks:
            if retention is not None:
                # Of whoever may be forgotten by then, only those who come back had an outcome.
                chosen[task] &= retention.lasting(view.rows, end + task.horizon_ms)
            if task.among is not None:
                chosen[task] &= task.among.true(view.frame)
        fitted = np.zeros(len(order), np.bool_) if segments is None else order < segments.rate
        if segments is not None and segments.among is not None:
            fitted &= segments.among.true(view.frame)
        held = {task: held_out(drawn, task.name, task.holdout) for task in tasks}
        matrix = np.column_stack([view.values.number(name) for name in learning.columns])
        told = {task: _told(profiles, task, view, drawn) for task in tasks}
        wanted = np.logical_or.reduce([fitted, *chosen.values()]).nonzero()[0]
        for i in wanted.tolist():
            user = view.users[i]
            example = Example(
                user_id=user,
                partition=profiles.number,
                at=end,
                columns_id=self._columns_id,
                values=matrix[i].tolist(),
                tasks={
                    task.name: Sampled(*told[task].of(i), bool(held[task][i]), told[task].tags[i])
                    for task in tasks
                    if chosen[task][i]
                },
                segment=bool(fitted[i]),
            )
            yield user.encode(), encode(example)


class _Told(NamedTuple):
    """What a task's model and tag say of some users, as `Sampled` has it."""

    scores: Scores | None
    tags: list[str | None]

    def of(self, i: int) -> tuple[float | None, int]:
        """Score and version for one of them."""
        return (float(self.scores.values[i]), self.scores.version) if self.scores else (None, 0)


def _told(profiles: Profiles, task: Task, view: _View, drawn: Hashes) -> _Told:
    models = profiles.models
    scores = models.over(view.values, drawn).scores(task.name) if models else None
    tags = profiles.program.tags.learned(view.rows, task.name)
    # A flag has the value True.
    return _Told(scores, ["true" if tag is True else str(tag) if tag else None for tag in tags])


class _View(NamedTuple):
    """Some users as they are at a moment: slots (m,), names, rows, and their features."""

    slots: Slots
    users: list[str]
    rows: NDArray[np.void]
    values: Values
    frame: Frame


def _due(task: Task, at: int) -> bool:
    """Whether users are sampled for `task` at the day end `at`."""
    return at > 0 and at // DAY % task.every_days == 0


def _chosen(every: Hashes, at: int, rate: float) -> Iterator[Slots]:
    """Yield who is drawn, in slices, which bound the rows that are looked at together."""
    chosen: Slots = (units(every, at // DAY) < rate).nonzero()[0]
    for first in range(0, len(chosen), _SLICE):
        yield chosen[first : first + _SLICE]


def _look(profiles: Profiles, slots: Slots, *, before: int, at: int) -> _View:
    """Look at those of `slots` who were first seen before `before`, when the day `at` ends."""
    rows = profiles.gather(slots)
    known = (rows["born"] != 0) & (rows["first_seen"] < before)
    if profiles.program.retention is not None:
        # Those who are to be forgotten do not count, however many rounds that takes.
        known &= ~profiles.program.retention.over(rows, at)
    rows, slots = np.ascontiguousarray(rows[known]), slots[known]
    # A moment earlier, the windows of days end with the day.
    values = profiles.program.features.values(rows, at - 1, profiles.dictionary)
    return _View(slots, profiles.names(slots), rows, values, Frame(values))
