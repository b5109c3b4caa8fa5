"""A trainer that learns next to nothing; as a program, one that runs against a real Kafka."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from stream_app.domain.clock import DAY
from stream_app.learning.drift import Alarm
from stream_app.learning.snapshot import Logistic, Model, Trained
from stream_app.learning.training import DayEnd, Example, Record, Release, columns_id

TASK = "counted"
COLUMNS = ["orders_30d"]
#: Names a file; without it, what the program's trainer learns on `GATED_DAY` has to wait.
GATE, GATED_DAY = "TEST_TRAINER_GATE", 5
#: Names a version that the program's trainer holds until it is released.
HELD = "TEST_TRAINER_HELD"


def example(day: int, user: str = "ann") -> Example:
    return Example(
        user_id=user,
        partition=0,
        at=day * DAY,
        columns_id=columns_id(COLUMNS),
        values=[1.0],
        tasks={},
        segment=False,
    )


def day_end(day: int) -> DayEnd:
    return DayEnd(partition=0, partitions=1, at=day * DAY, columns=COLUMNS, gap_ms=0, users=1)


def model(version: int, weight: float = 0.0, task: str = TASK) -> Model:
    """A model whose only content is its weight."""
    return Model(
        kind="classifier",
        task=task,
        version=version,
        parent=version - 1 or None,
        columns=COLUMNS,
        columns_id=columns_id(COLUMNS),
        created_at=DAY,
        trained=Trained(from_=0, to=DAY, examples=3, positives=1),
        metrics={"auc": 0.75, "lift": None},
        scorer=Logistic(
            names=COLUMNS,
            mean=[0.0],
            scale=[1.0],
            weights=[weight],
            intercept=0.0,
            platt=None,
            reference=[0.0],
        ),
        state="live",
        thresholds=[0.5],
    )


class Counting:
    """Each day end brings a version; its weight is the number of examples so far."""

    def __init__(self) -> None:
        self.foreign = 0
        self.alarms: list[Alarm] = []
        self.resumed: list[Model] = []
        self.examples = 0
        self.version = 0

    def moved(self) -> list[Alarm]:
        told, self.alarms = self.alarms, []
        return told

    def resume(self, models: Sequence[Model]) -> None:
        self.resumed = list(models)

    def take(self, record: Record) -> list[Model]:
        if isinstance(record, Example):
            self.examples += 1
        if not isinstance(record, DayEnd):
            return []
        self.version += 1
        return [model(self.version, float(self.examples))]


class Gated(Counting):
    """Waits on a day until the file is there, half a minute at most."""

    def __init__(self, gate: Path) -> None:
        super().__init__()
        self.gate = gate

    def take(self, record: Record) -> list[Model]:
        if isinstance(record, DayEnd) and record.at == GATED_DAY * DAY:
            print("At the gate", flush=True)
            until = time.monotonic() + 30
            while not self.gate.exists() and time.monotonic() < until:
                time.sleep(0.005)
        return super().take(record)


class Holding(Counting):
    """Holds a version until it is released."""

    def __init__(self, version: int) -> None:
        super().__init__()
        self.held: Model | None = None
        self._version = version

    def take(self, record: Record) -> list[Model]:
        if isinstance(record, Release):
            return [self.held] if self.held and self.held.version == record.version else []
        made = super().take(record)
        if made and made[0].version == self._version:
            self.held = made[0]
            return [replace(self.held, state="held")]
        return made


def main() -> None:
    from stream_app.kafka.model_training.trainer import run_trainer
    from stream_app.logs import set_up_logging
    from stream_app.resolve import resolve

    settings = resolve()
    set_up_logging(settings)
    gate, held = os.environ.get(GATE), os.environ.get(HELD)
    make_fold: Callable[[], Counting] = Counting
    if gate:
        make_fold = partial(Gated, Path(gate))
    elif held:
        make_fold = partial(Holding, int(held))
    asyncio.run(run_trainer(settings, make_fold, until_end="--until-end" in sys.argv))


if __name__ == "__main__":
    main()
