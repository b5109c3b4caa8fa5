"""Which version of a task is the live one, and which are held: they would change too many tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from stream_app.learning import verdict
from stream_app.learning.declaration import Task
from stream_app.learning.predictor import Floats
from stream_app.learning.scoring import score
from stream_app.learning.snapshot import Model

#: Examples after which a live version is no beginner's any more, so that one that differs much from
#: it is held.
GROWN: Final = 10_000


class Gate:
    """Compares the versions of `task` with the live one, on vectors of `columns` (c,).

    A generation's first live version is never held. It has learned from other examples than the
    live one, so it differs by more than a day; and whether it were held would depend on what came
    before it, without end.
    """

    def __init__(self, task: Task, columns: Sequence[str]) -> None:
        self._task = task
        self._columns = list(columns)
        self._live: Model | None = None
        self._generation = 0
        #: Versions held since the live one, each with its generation.
        self._held: dict[int, tuple[Model, int]] = {}

    def offer(self, model: Model, vectors: Floats, generation: int) -> Model:
        """Return a new version with its parent and what it flips, held or as it was.

        It was made by a generation, and flips are counted on the newest `vectors` (n, c).
        """
        before = self._live
        if before is not None:
            model = replace(model, parent=before.version)
        if model.state != "live":
            return model
        if before is not None:
            old, new = ((one.thresholds, self._score(one, vectors)) for one in (before, model))
            found = verdict.flips_of(self._task.form, old, new)
            model = replace(model, metrics=model.metrics | {"flips": found.share})
            judged = generation == self._generation and before.trained.examples >= GROWN
            if judged and found.exceed(self._task.max_flips):
                model = replace(model, state="held")
                self._held[model.version] = model, generation
                return model
        self._go_live(model, generation)
        return model

    def release(self, version: int) -> Model | None:
        """Make a held version the live one; None where no version of this number is held.

        None as well where a later one has become the live one.
        """
        if version not in self._held:
            return None
        held, generation = self._held[version]
        released = replace(held, state="live")
        self._go_live(released, generation)
        return released

    def _go_live(self, model: Model, generation: int) -> None:
        self._live, self._generation = model, generation
        self._held = {v: held for v, held in self._held.items() if v > model.version}

    def _score(self, model: Model, vectors: Floats) -> Floats:
        places = [self._columns.index(name) for name in model.columns]
        return score(model.scorer, vectors[:, places])
