"""What was learned while the demo went on: its segments and predictions as tables."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from stream_app.cli._demo.place import Place
from stream_app.cli._demo.words import day
from stream_app.cli._segment_table import segment_table
from stream_app.cli.models import listed
from stream_app.kafka.model_registry.models import ModelsError, published
from stream_app.learning.snapshot import Model

_NOTE: Final = """\
AUC: of two users, how often the one who did it had the higher score; log loss: less is better;
lift: how much more frequent in the best tenth. All by scores given before, of the users sampled
on one day (cohort), the newest that has closed: where few came true, they say little. Simulated
clicks announce purchases, so scores that read clicks are no evidence of how good predictions are;
docs/learning.md has some."""
_COLUMNS: Final = ("learned from", "cohorts", "newest", "came true", "AUC", "log loss", "lift")


def learned_tables(place: Place, share_of: str | None) -> Iterator[RenderableType]:
    """Yield the segments, with their shares of a feature's sum, and the predictions, as now."""
    try:
        rows = listed(asyncio.run(published(place.settings)))
    except ModelsError:
        rows = []
    models = [row.model for row in rows if row.in_use and isinstance(row.model, Model)]
    yield ""
    yield Text("What was learned meanwhile", style="bold")
    if not models:
        yield "Nothing yet: the first models come a horizon after the first samples."
        return
    for model in models:
        if model.kind == "segments":
            yield segment_table(model, share_of, traits=False)
    yield prediction_table([model for model in models if model.kind in ("classifier", "anomaly")])
    yield Text(_NOTE, style="dim")


def prediction_table(models: Sequence[Model]) -> Table:
    """A prediction a row: its state, and how good it was when last that could be told."""
    table = Table("prediction", "state", box=SIMPLE_HEAD, pad_edge=False)
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for column in table.columns:
        column.no_wrap = True
    for model in models:
        state = Text(model.state, style="" if model.state == "live" else "yellow")
        table.add_row(model.task, state, *_cells(model))
    return table


def _cells(model: Model) -> Iterator[str]:
    metrics = model.metrics
    yield f"{model.trained.examples:,}"
    yield _number(metrics.get("cohorts"), ",.0f")
    cohort, examples = metrics.get("cohort"), metrics.get("examples")
    yield "-" if cohort is None else day(int(cohort)).strip()
    positives = metrics.get("positives")
    yield "-" if positives is None or not examples else f"{positives:,.0f} of {examples:,.0f}"
    yield _number(metrics.get("auc"), ".3f")
    yield _number(metrics.get("log_loss"), ".3f")
    yield _number(metrics.get("lift"), ".1f")


def _number(value: float | None, shape: str) -> str:
    return "-" if value is None else format(value, shape)
