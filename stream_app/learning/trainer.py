"""All that is learned, as one fold of `training`: records in log order in, models out.

The same records give the same models, byte by byte: whoever resumes folds them again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from stream_app.learning.alarms import Drift
from stream_app.learning.clusters import Clusters
from stream_app.learning.declaration import Learning, Task
from stream_app.learning.drift import Alarm
from stream_app.learning.epochs import EPOCH_DAYS, Generations
from stream_app.learning.gate import Gate
from stream_app.learning.predictor import Predictor
from stream_app.learning.snapshot import Model
from stream_app.learning.training import DayEnd, Example, Outcome, Record, Release, columns_id


class Trainer:
    """Learns what a catalogue declares.

    Examples of another catalogue's columns are not learned from; `foreign` counts them.
    """

    def __init__(self, learning: Learning, epoch_days: int = EPOCH_DAYS) -> None:
        self._generations: Final = {
            task.name: _generations(task, learning, epoch_days) for task in learning.tasks
        }
        self.foreign = 0
        self._drift = Drift()
        self._clusters = Clusters.of(learning, self._drift)
        self._columns_id = columns_id(learning.columns)
        self._width = len(learning.columns)
        #: The last day end of each partition, and that of all of them.
        self._ended: dict[int, int] = {}
        self._everywhere = 0

    def resume(self, models: Sequence[Model]) -> None:
        """Go on from the segments among the published `models`; before the first record."""
        if self._clusters is not None:
            self._clusters.resume([model for model in models if model.kind == "segments"])

    def moved(self) -> list[Alarm]:
        """What has been found to have moved since the last call."""
        return self._drift.take()

    def take(self, record: Record) -> list[Model]:
        """Learn from a record; return the versions that it brings.

        Each has a higher number than the task's former ones, except one that was held and is
        released: that comes again, live.
        """
        match record:
            case Example():
                self._example(record)
                return []
            case Outcome():
                if record.task in self._generations:
                    self._generations[record.task].outcome(record)
                return []
            case Release():
                return self._release(record)
            case DayEnd():
                return self._day_end(record)

    def _example(self, record: Example) -> None:
        if record.columns_id != self._columns_id or len(record.values) != self._width:
            self.foreign += 1
            return
        values = np.array(
            [math.nan if value is None else value for value in record.values], dtype=np.float64
        )
        for task in record.tasks:
            if task in self._generations:
                self._generations[task].example(record, values)
        if self._clusters is not None:
            self._clusters.example(record, values)

    def _release(self, record: Release) -> list[Model]:
        task = self._generations.get(record.task)
        released = task.release(record.version) if task else None
        return [] if released is None else [released]

    def _day_end(self, record: DayEnd) -> list[Model]:
        found = [task.day_end(record) for task in self._generations.values()]
        models = [model for model in found if model is not None]
        self._drift.losses(models)
        self._ended[record.partition] = max(record.at, self._ended.get(record.partition, 0))
        if len(self._ended) == record.partitions:
            everywhere = min(self._ended.values())
            if everywhere > self._everywhere and self._clusters is not None:
                models += self._clusters.day(everywhere)
            self._everywhere = max(everywhere, self._everywhere)
        return models


def _generations(task: Task, learning: Learning, epoch_days: int) -> Generations:
    def make() -> Predictor:
        return Predictor(task, learning.columns, learning.max_gap_ms)

    return Generations(make, Gate(task, learning.columns), epoch_days)
