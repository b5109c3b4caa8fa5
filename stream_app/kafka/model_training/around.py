"""What a trainer stands on: each part can be a fake in tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from stream_app.health import Health
from stream_app.kafka.client.log import Log
from stream_app.kafka.client.writer import TransactionWriter
from stream_app.kafka.partition.rounds import Clocks, Writer
from stream_app.learning.drift import Alarm
from stream_app.learning.snapshot import Model
from stream_app.learning.training import Record
from stream_app.metrics import Metrics, process_registry
from stream_app.settings import Settings

#: The only partition of `training` and of `models`.
NUMBER: Final = 0


class Fold(Protocol):
    """What learns: the same records in the same order must bring the same models.

    `resume` gets the published models before the first record; `foreign` counts examples of columns
    that are not learned from; `moved` tells once what has drifted.
    """

    @property
    def foreign(self) -> int: ...
    def resume(self, models: Sequence[Model]) -> None: ...
    def moved(self) -> list[Alarm]: ...
    def take(self, record: Record) -> list[Model]: ...


@dataclass(frozen=True)
class Around:
    """The parts of one process; `new_log` takes a topic."""

    settings: Settings
    metrics: Metrics
    health: Health
    clocks: Clocks
    make_fold: Callable[[], Fold]
    new_log: Callable[[str], Log]
    new_writer: Callable[[], Writer]

    def now(self) -> int:
        """Milliseconds that only rise, by which health goes."""
        return self.clocks.steady_ms()


def around_of(settings: Settings, make_fold: Callable[[], Fold], clocks: Clocks) -> Around:
    """What a trainer with these settings stands on."""
    options = settings.client_options()
    return Around(
        settings=settings,
        metrics=Metrics(process_registry()),
        health=Health(int(settings.stall_timeout_s * 1000)),
        clocks=clocks,
        make_fold=make_fold,
        new_log=lambda topic: Log(options, topic, settings.request_timeout_s),
        new_writer=lambda: TransactionWriter(
            options,
            f"{settings.app_id}-trainer",
            NUMBER,
            timeout_s=settings.transaction_timeout_s,
            compression=settings.codec,
        ),
    )
