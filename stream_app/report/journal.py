"""What a replay learned from, in columns: closed examples by task, models as they came out.

The journal joins examples with outcomes by the same code as the trainer, so that whatever is
compared with its scores sees exactly the same closed examples and cohorts.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.clock import DAY
from stream_app.learning.cohort import Cohort, TaskExample
from stream_app.learning.cohorts import Cohorts
from stream_app.learning.declaration import Learning, Task
from stream_app.learning.outcomes import Largest
from stream_app.learning.population import WINDOW_DAYS, Population
from stream_app.learning.snapshot import Model
from stream_app.learning.tasks import SEGMENTS
from stream_app.learning.training import DayEnd, Example, Outcome, Record, columns_id

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Examples:
    """A task's closed examples (n,) in the order in which they closed.

    `row` is the place of the vector, `at` the day end (ms) of the sample, `closed` that on which
    the outcome was known. `score` was given at sample time; NaN where no model was in use.
    """

    row: Numbers
    at: Numbers
    closed: Numbers
    positive: NDArray[np.bool_]
    score: Floats

    def __len__(self) -> int:
        return len(self.row)


class Joined:
    """The examples of one task, joined with their outcomes."""

    def __init__(self, task: Task, max_gap_ms: int) -> None:
        quantile = 1 - task.outcome.top if isinstance(task.outcome, Largest) else None
        self.task: Final = task
        self.cohorts: Final[list[Cohort]] = []
        self._open = Cohorts(task.horizon_ms, max_gap_ms, quantile)
        #: Rows, samples' and closing day ends, outcomes, scores: a fifth of what objects take.
        self._columns: tuple[array[Any], ...] = tuple(array(code) for code in "qqqbd")

    def example(self, record: Example, row: int) -> None:
        """Take an example whose vector is at `row`, if it is one of this task."""
        sampled = record.tasks.get(self.task.name)
        if sampled is not None:
            one = TaskExample(
                user=record.user_id,
                partition=record.partition,
                at=record.at,
                # Cohorts do not look at vectors: the place of one is enough, and is kept once.
                values=np.array([row], dtype=np.float64),
                score=sampled.score,
                version=sampled.version,
                held_out=sampled.held_out,
                tag=sampled.tag,
            )
            self._open.sample(one)

    def outcome(self, record: Outcome) -> None:
        """Take an outcome of this task."""
        self._open.outcome(record.user_id, record.sampled_at, record.at, record.value)

    def day_end(self, record: DayEnd) -> None:
        """Close what closes with this day end."""
        closing = self._open.day_end(record.partition, record.partitions, record.at, record.gap_ms)
        self.cohorts.extend(closing.cohorts)
        for labelled in closing.examples:
            one = labelled.example
            score = math.nan if one.score is None else one.score
            found = (int(one.values[0]), one.at, record.at, labelled.positive, score)
            for column, value in zip(self._columns, found, strict=True):
                column.append(value)

    def examples(self) -> Examples:
        """All examples that have closed so far."""
        kinds = (np.int64, np.int64, np.int64, np.bool_, np.float64)
        return Examples(
            *(
                np.array(column).astype(kind)
                for column, kind in zip(self._columns, kinds, strict=True)
            )
        )


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model of segments, and the vectors (n, c) of `model.columns` that it was fitted to."""

    model: Model
    vectors: Floats


@dataclass
class Journal:
    """A fold of `training` and of the models that came of it.

    Memory: 8 bytes a value, each vector once, so 95 MB for 228,000 examples of 52 columns, and
    33 bytes an example and task.
    """

    learning: Learning
    models: list[Model] = field(default_factory=list)
    fits: list[Fitted] = field(default_factory=list)

    def __post_init__(self) -> None:
        learning = self.learning
        self.tasks = {task.name: Joined(task, learning.max_gap_ms) for task in learning.tasks}
        self._columns_id = columns_id(learning.columns)
        self._population = Population(learning.columns)
        self._vectors = np.empty((1_024, len(learning.columns)))
        self._used = 0
        self.users = 0

    @property
    def vectors(self) -> Floats:
        """The vectors (n, c) of all examples, NaN for missing."""
        return self._vectors[: self._used]

    def take(self, record: Record) -> None:
        """Note a record of `training`."""
        match record:
            case Example() if record.columns_id == self._columns_id:
                self._example(record)
            case Outcome() if record.task in self.tasks:
                self.tasks[record.task].outcome(record)
            case DayEnd():
                self.users = max(self.users, record.users)
                for joined in self.tasks.values():
                    joined.day_end(record)
            case _:
                pass

    def publish(self, models: Iterable[Model]) -> None:
        """Note models at the moment they come out."""
        for model in models:
            self.models.append(model)
            if model.task == SEGMENTS:
                self.fits.append(Fitted(model, self._sample(model)))
            self._population.forget(model.created_at // DAY - WINDOW_DAYS)

    def _sample(self, model: Model) -> Floats:
        places = [self.learning.columns.index(name) for name in model.columns]
        found: Floats = self._population.vectors(model.created_at // DAY)[:, places]
        return found

    def _example(self, record: Example) -> None:
        if self._used == len(self._vectors):
            grown = np.empty((2 * self._used, self._vectors.shape[1]))
            grown[: self._used] = self._vectors
            self._vectors = grown
        row = self._used
        # None becomes NaN.
        self._vectors[row] = np.array(record.values, dtype=np.float64)
        self._used += 1
        for task in record.tasks:
            if task in self.tasks:
                self.tasks[task].example(record, row)
        if record.segment:
            self._population.add(record.at // DAY, record.user_id, self._vectors[row])
