"""All that is learned, as one fold of `training`: records in log order in, models out.

The same records give the same models, byte by byte: whoever resumes folds them again.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from stream_app.learning.clusters import Clusters
from stream_app.learning.declaration import Learning
from stream_app.learning.predictor import Predictor
from stream_app.learning.snapshot import Model
from stream_app.learning.training import DayEnd, Example, Outcome, Record, columns_id


class Trainer:
    """Learns what a catalogue declares.

    Examples of another catalogue's columns are not learned from; `foreign` counts them.
    """

    def __init__(self, learning: Learning) -> None:
        self.predictors: Final = {
            task.name: Predictor(task, learning.columns, learning.max_gap_ms)
            for task in learning.tasks
        }
        self.foreign = 0
        self._clusters = (
            Clusters(learning.segmentation, learning.columns) if learning.segmentation else None
        )
        self._columns_id = columns_id(learning.columns)
        self._width = len(learning.columns)
        #: The last day end of each partition, and that of all of them.
        self._ended: dict[int, int] = {}
        self._everywhere = 0

    def take(self, record: Record) -> list[Model]:
        """Learn from a record; return the versions that it brings, each task's next number."""
        match record:
            case Example():
                self._example(record)
                return []
            case Outcome():
                predictor = self.predictors.get(record.task)
                if predictor is not None:
                    predictor.outcome(record)
                return []
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
            predictor = self.predictors.get(task)
            if predictor is not None:
                predictor.example(record, values)
        if self._clusters is not None:
            self._clusters.example(record, values)

    def _day_end(self, record: DayEnd) -> list[Model]:
        found = [predictor.day_end(record) for predictor in self.predictors.values()]
        models = [model for model in found if model is not None]
        self._ended[record.partition] = max(record.at, self._ended.get(record.partition, 0))
        if len(self._ended) == record.partitions:
            everywhere = min(self._ended.values())
            if everywhere > self._everywhere and self._clusters is not None:
                models += self._clusters.day(everywhere)
            self._everywhere = max(everywhere, self._everywhere)
        return models
