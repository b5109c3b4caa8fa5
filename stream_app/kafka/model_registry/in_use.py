"""The models that a worker's tasks decide by: what the topic says, compiled for the catalogue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from stream_app.engine.catalogue import Program
from stream_app.engine.models import Models
from stream_app.learning.snapshot import Model
from stream_app.metrics import Metrics

log = logging.getLogger(__name__)

Take = Callable[[Mapping[str, Model]], None]


class Reader(Protocol):
    """What follows the published models; `ModelReader` has it."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class ModelsInUse:
    """`current` is None before the first model comes, and where nothing is learned.

    `new_reader` makes what follows the topic; `changed` is called with another set of models. What
    decides nothing, such as quantiles that no rule uses, makes no other set.
    """

    def __init__(
        self,
        program: Callable[[], Program],
        new_reader: Callable[[Take], Reader],
        changed: Callable[[Models], None],
        metrics: Metrics,
    ) -> None:
        self.current: Models | None = None
        self._program = program
        self._new_reader = new_reader
        self._changed = changed
        self._metrics = metrics
        self._snapshots: Mapping[str, Model] = {}
        self._reader: Reader | None = None

    @property
    def learning(self) -> bool:
        """Whether the catalogue declares anything to learn."""
        return self._program().catalogue.learning is not None

    async def follow(self) -> None:
        """Read what is published so far, then follow, where something is learned."""
        if self.learning and self._reader is None:
            self._reader = self._new_reader(self.take)
            await self._reader.start()

    async def stop(self) -> None:
        """Follow no more."""
        if self._reader is not None:
            await self._reader.stop()

    def take(self, snapshots: Mapping[str, Model]) -> None:
        """Take over what is published now, by task."""
        self._snapshots = snapshots
        before, models = self.current, self._compiled()
        if models is None or (before is not None and before.revision == models.revision):
            return
        for task, why in models.paused.items():
            log.warning("%s is paused: %s", task, why, extra={"task": task})
        self._use(models)
        self._changed(models)

    def catalogue_changed(self) -> None:
        """Compile anew for another catalogue; the tasks do so themselves."""
        self._use(self._compiled())

    def _use(self, models: Models | None) -> None:
        self.current = models
        self._metrics.end("model_paused")
        if models is not None:
            for task in (*models.versions, *models.paused):
                self._metrics.set("model_paused", task in models.paused, task=task)

    def _compiled(self) -> Models | None:
        learning = self._program().catalogue.learning
        if learning is None or not self._snapshots:
            return None
        return Models.of(learning, self._snapshots)
