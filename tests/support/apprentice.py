"""A small world to learn from: users with habits, sampled at day ends as workers sample them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from stream_app.domain.expression import parse
from stream_app.learning.declaration import Bands, Holds, Learning, Segmentation, Task
from stream_app.learning.scoring import score
from stream_app.learning.snapshot import Model
from stream_app.learning.trainer import Trainer
from stream_app.learning.training import DayEnd, Example, Outcome, Record, Sampled, columns_id

DAY = 86_400_000
FIRST = 17_000 * DAY
COLUMNS = ("visits_7d", "spend_30d", "hours_since_order", "noise")
KINDS = dict.fromkeys((*COLUMNS, "orders_3d"), "number")


def task(name: str = "likely_to_buy", **changes: Any) -> Task:
    """A prediction over three days."""
    given: dict[str, Any] = {
        "description": "",
        "among": None,
        "features": COLUMNS,
        "outcome": Holds(parse("orders_3d > 0", KINDS)),
        "horizon_ms": 3 * DAY,
        "rate": 1.0,
        "form": Bands((0.2, 0.5, 0.8), 0.05),
    }
    return Task(name=name, **(given | changes))


def learning(*tasks: Task, segments: bool = True) -> Learning:
    """What a catalogue of these tasks declares."""
    segmentation = Segmentation(COLUMNS[:3], 1.0) if segments else None
    return Learning(tasks, segmentation, 2 * DAY, COLUMNS)


class World:
    """`users` users on `partitions` partitions; who visits often buys soon."""

    def __init__(self, declared: Learning, users: int = 120, partitions: int = 2, seed: int = 1):
        self.declared = declared
        self.partitions = partitions
        self._rng = np.random.default_rng(seed)
        self._keen = self._rng.uniform(0, 1, users)
        self._bought: dict[tuple[int, int], bool] = {}

    def records(self, days: int, trainer: Trainer | None = None) -> Iterator[Record]:
        """The log of so many days; users are scored with what `trainer` has published by then."""
        current: dict[str, Model] = {}
        for day in range(days):
            at = FIRST + day * DAY
            for record in self._day(day, at, current):
                yield record
                for model in trainer.take(record) if trainer else ():
                    if model.state != "held":
                        current[model.task] = model

    def _day(self, day: int, at: int, current: dict[str, Model]) -> Iterator[Record]:
        vectors = self._vectors()
        chance = 1 / (1 + np.exp(-6 * (self._keen - 0.5)))
        bought = self._rng.uniform(size=len(chance)) < chance
        for partition in range(self.partitions):
            mine = range(partition, len(chance), self.partitions)
            for user in mine:
                self._bought[user, day] = bool(bought[user])
                for one in self.declared.tasks:
                    back = one.horizon_ms // DAY
                    if day >= back:
                        value = float(self._bought[user, day - back])
                        yield Outcome(f"u{user}", partition, at, one.name, at - back * DAY, value)
            for user in mine:
                yield self._example(f"u{user}", partition, at, vectors[user], current)
            yield DayEnd(partition, self.partitions, at, list(COLUMNS), 0, len(mine))

    def _vectors(self) -> np.ndarray:
        rng, keen = self._rng, self._keen
        visits = rng.poisson(1 + 9 * keen)
        spend = rng.gamma(1 + 4 * keen, 20)
        hours = np.where(keen < 0.1, np.nan, rng.exponential(200 * (1.1 - keen)))
        return np.column_stack([visits, spend, hours, rng.normal(size=len(keen))])

    def _example(
        self, user: str, partition: int, at: int, vector: np.ndarray, current: dict[str, Model]
    ) -> Example:
        values = [None if np.isnan(value) else float(value) for value in vector]
        tasks = {one.name: _sampled(vector, current.get(one.name)) for one in self.declared.tasks}
        return Example(user, partition, at, columns_id(COLUMNS), values, tasks, True)


def _sampled(vector: np.ndarray, model: Model | None) -> Sampled:
    if model is None:
        return Sampled(None, 0, False, None)
    places = [COLUMNS.index(name) for name in model.columns]
    return Sampled(float(score(model.scorer, vector[None, places])[0]), model.version, False, None)


def fold(declared: Learning, records: Sequence[Record]) -> list[Model]:
    """Every model that a fresh trainer makes of a log."""
    trainer = Trainer(declared)
    return [model for record in records for model in trainer.take(record)]
