"""Learning beside a replay: what trains or brings models, what is noted, and the report."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click

from stream_app.cli._learning import NothingToLearn
from stream_app.engine.catalogue import Catalogue
from stream_app.engine.replay import Replay
from stream_app.engine.step import Step
from stream_app.engine.taught import (
    Learned,
    Recorded,
    RecordedError,
    Source,
    Taught,
    line_of,
    read_models,
)
from stream_app.learning.declaration import Learning
from stream_app.learning.trainer import Trainer
from stream_app.learning.training import Record
from stream_app.report.extra import require_extra
from stream_app.report.journal import Journal
from stream_app.report.write import Replayed, write_report

#: In the folder of a report: the models in the order in which they came out.
MODELS = "models.ndjson"


class Teaching:
    """Has a replay decide by models; with a `folder`, writes them and a report there.

    Without `recorded` they are learned on the way. Raises NothingToLearn and MissingExtra before
    anything is folded.
    """

    def __init__(
        self,
        replay: Replay,
        catalogue: Catalogue,
        folder: Path | None,
        recorded: Path | None,
    ) -> None:
        learning = _learning(catalogue)
        if folder is not None:
            require_extra()
            folder.mkdir(parents=True, exist_ok=True)
        self._replay, self._catalogue, self._folder = replay, catalogue, folder
        self._trained = recorded is None
        self._journal = Journal(learning) if folder is not None else None
        self._models: IO[bytes] | None = None
        if folder is not None and self._trained:
            self._models = (folder / MODELS).open("wb")
        source = _trainer(learning) if recorded is None else _recorded(recorded, learning)
        self._taught = Taught(replay, learning, source, self._note)
        self._first = 0

    def after(self, step: Step) -> None:
        """Must be called after each step of the replay."""
        # The first step's own time: a slice of the first hour of events.
        self._first = self._first or max(part.time for part in self._replay.parts)
        for one in self._taught.after(step):
            if self._models is not None:
                self._models.write(line_of(one) + b"\n")
            if self._journal is not None:
                self._journal.publish([one.model])

    def finish(self, events: int, *, simulated_clicks: bool) -> None:
        """Write the report, if there is to be one."""
        if self._models is not None:
            self._models.close()
        if self._journal is None or self._folder is None:
            return
        replay = self._replay
        write_report(
            self._folder,
            self._journal,
            self._catalogue,
            Replayed(events, replay.users, self._first, replay.newest),
            trained=self._trained,
            simulated_clicks=simulated_clicks,
        )
        click.echo(f"report: {self._folder / 'report.md'}", err=True)

    def _note(self, record: Record) -> None:
        if self._journal is not None:
            self._journal.take(record)


def _learning(catalogue: Catalogue) -> Learning:
    if catalogue.learning is None:
        raise NothingToLearn(
            f"the catalogue {catalogue.file} declares nothing to learn: add a section `learning:` "
            "to it, or name another with --catalog, such as `purchases`"
        )
    return catalogue.learning


def _trainer(learning: Learning) -> Source:
    return Learned(Trainer(learning).take)


def _recorded(path: Path, learning: Learning) -> Source:
    with path.open("rb") as file:
        models = list(read_models(file, str(path)))
    known = {task.name for task in learning.tasks}
    if not any(one.model.task in known or one.model.kind != "classifier" for one in models):
        raise RecordedError(
            f"{path}: has no model of what the catalogue declares: expected {MODELS} of a replay "
            "with --learn and the same catalogue"
        )
    return Recorded(models)
