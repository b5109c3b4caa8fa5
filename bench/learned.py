"""Models for a worker that scores: what a trainer learns from made-up days of the bench's users.

Their features are those of the seeded profiles; what they did next is drawn from a few of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench import events
from bench.lanes import Lane
from bench.load import loading
from stream_app.domain.clock import DAY
from stream_app.engine import Profiles
from stream_app.engine.models import Models
from stream_app.learning.declaration import Holds, Learning
from stream_app.learning.snapshot import Model, current_key, encode
from stream_app.learning.trainer import Trainer
from stream_app.learning.training import (
    DayEnd,
    Example,
    Outcome,
    Record,
    Sampled,
    columns_id,
)

#: Users drawn a day, and days of examples; then a horizon passes, and a week of samples.
DRAWN: Final = 400
DAYS: Final = 12
_STATES: Final = ("live", "unreachable")


def use(profiles: Profiles) -> list[Model]:
    """Have profiles be decided by the models that a trainer would have in use; return these."""
    learning = profiles.program.catalogue.learning
    if learning is None:
        raise ValueError("the catalogue declares nothing to learn")
    models = _learned(profiles, learning)
    profiles.use_models(Models.of(learning, {model.task: model for model in models}))
    return models


def _learned(profiles: Profiles, learning: Learning) -> list[Model]:
    trainer, newest = Trainer(learning), dict[str, Model]()
    for record in _days(learning, _vectors(profiles, learning)):
        newest |= {model.task: model for model in trainer.take(record)}
    expected = {task.name for task in learning.tasks} | {"segments", "population"}
    if missing := expected - {t for t, model in newest.items() if model.state in _STATES}:
        raise ValueError(f"no model in use of {', '.join(sorted(missing))}")
    return list(newest.values())


async def publish(lane: Lane, models: Sequence[Model]) -> None:
    """Put models into use on a lane."""
    async with loading(lane.servers) as loader:
        for model in models:
            await loader.append(lane.models, 0, current_key(model.task), encode(model))


def _vectors(profiles: Profiles, learning: Learning) -> NDArray[np.float64]:
    """The values (n, c) of all learned columns."""
    rows = profiles.gather(np.arange(len(profiles), dtype=np.intp))
    program = profiles.program
    values = program.features.values(rows, profiles.time, profiles.dictionary)
    return np.column_stack([values.number(name) for name in learning.columns])


def _days(learning: Learning, vectors: NDArray[np.float64]) -> Iterator[Record]:
    """The records of `training`, of one partition."""
    rng = np.random.default_rng([events.SEED, 77])
    longest = max(task.horizon_ms for task in learning.tasks) // DAY
    waiting: dict[tuple[str, int], list[Outcome]] = {}
    # Divisible by 3, as panes of three days ask for.
    first, identity = 19_998, columns_id(learning.columns)
    for number in range(first, first + DAYS * 3 + longest + 8):
        at = number * DAY
        for task in learning.tasks:
            yield from waiting.pop((task.name, at), [])
        drawn = rng.choice(len(vectors), DRAWN, replace=False)
        learned = number < first + DAYS * 3 and number % 3 == 0
        for user in drawn.tolist():
            vector = [None if math.isnan(x) else x for x in vectors[user].tolist()]
            chances = _chances(learning, vectors[user]) if learned else {}
            sampled = {name: Sampled(p, 1, False, None) for name, p in chances.items()}
            yield Example(f"user-{user:07d}", 0, at, identity, vector, sampled, True)
            for task in learning.tasks if learned else ():
                happened = float(rng.random() < chances[task.name])
                value = happened if isinstance(task.outcome, Holds) else happened * 100 + 1
                due = at + task.horizon_ms
                waiting.setdefault((task.name, due), []).append(
                    Outcome(f"user-{user:07d}", 0, due, task.name, at, value)
                )
        yield DayEnd(0, 1, at, list(learning.columns), 0, len(vectors))


def _chances(learning: Learning, vector: NDArray[np.float64]) -> dict[str, float]:
    """What makes an outcome likely: a few of the task's features."""
    found = {}
    for number, task in enumerate(learning.tasks):
        chosen = [learning.columns.index(name) for name in task.features[number::5]]
        logs = np.log1p(np.nan_to_num(np.abs(vector[chosen])))
        found[task.name] = 1 / (1 + math.exp(3 - float(logs.sum())))
    return found
