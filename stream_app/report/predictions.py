"""Of each prediction: figures by closed cohort and on average, beside what it is compared with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.features.declaration import Declaration
from stream_app.learning.cohort import Cohort
from stream_app.learning.declaration import Bands, Task
from stream_app.learning.measures import auc, log_loss
from stream_app.learning.snapshot import Model
from stream_app.learning.thresholds import selects
from stream_app.report.comparisons import (
    best_single,
    reads_clicks,
    recency_of,
    refit_scores,
)
from stream_app.report.journal import Examples, Journal
from stream_app.report.words import date

Floats = NDArray[np.float64]
Row = dict[str, Any]

_OURS: Final = ("auc", "log_loss", "lift", "calibration", "precision")
AVERAGED: Final = (*_OURS, "refit_auc", "refit_log_loss", "best_auc", "recency_auc")


@dataclass(frozen=True)
class Compared:
    """Scores (n,) of a task's examples by what its own are compared with; None: no such feature."""

    refit: Floats
    best: Floats | None
    recency: Floats | None


def prediction(
    task: Task, journal: Journal, declared: Mapping[str, Declaration], *, simulated_clicks: bool
) -> dict[str, Any]:
    """All figures of one task."""
    joined = journal.tasks[task.name]
    examples, columns = joined.examples(), list(task.features)
    vectors = journal.vectors[:, [journal.learning.columns.index(name) for name in columns]]
    judged = [cohort.at for cohort in joined.cohorts if _told(cohort)]
    best = best_single(examples, vectors, columns, judged)
    hours = recency_of(sorted(task.outcome.names), columns, declared)
    recency = (
        best_single(examples, vectors[:, [columns.index(hours)]], [hours], judged)
        if hours
        else None
    )
    compared = Compared(
        refit_scores(examples, vectors, columns),
        best and best.scores(vectors[examples.row, columns.index(best.feature)]),
        recency and recency.scores(vectors[examples.row, columns.index(recency.feature)]),
    )
    models = [model for model in journal.models if model.task == task.name]
    rows = cohort_rows(task, joined.cohorts, examples, compared, models)
    clicks = reads_clicks({*columns, *task.outcome.names}, declared) if simulated_clicks else []
    return {
        "description": task.description,
        "examples": len(examples),
        "positives": int(examples.positive.sum()),
        "evidence": not clicks,
        "reads_simulated_clicks": sorted(clicks),
        "best_feature": best and {"feature": best.feature, "more_is_likelier": best.sign > 0},
        "recency_feature": hours,
        "versions": len(models),
        "held": sum(model.state == "held" for model in models),
        "average": averages(rows),
        "average_deciding": averages([row for row in rows if row["deciding"]]),
        "average_later_half": averages(rows[len(rows) // 2 :]),
        "cohorts": rows,
    }


def cohort_rows(
    task: Task,
    cohorts: Sequence[Cohort],
    examples: Examples,
    compared: Compared,
    models: Iterable[Model],
) -> list[Row]:
    """A row a closed cohort; `state`, `flips` and `held` are of the version that came with it.

    `deciding` is a cohort that was drawn after a version had come that decides tags.
    """
    came: dict[float, Model] = {}
    since = math.inf
    for model in models:
        if model.state != "warming":
            since = min(since, model.created_at)
        cohort = model.metrics.get("cohort")
        if cohort is not None:
            came.setdefault(cohort, model)
    rows = []
    for one in cohorts:
        chosen = np.flatnonzero(examples.at == one.at)
        model_then = came.get(float(one.at))
        rows.append(
            _own(task, one)
            | _version(model_then)
            | {"deciding": one.at > since}
            | _others(compared, examples.positive, chosen)
        )
    return rows


def averages(rows: Sequence[Row]) -> dict[str, float | int | None]:
    """Means over the cohorts in which ours and the refit can both be told."""
    both = [row for row in rows if row["auc"] is not None and row["refit_auc"] is not None]
    found: dict[str, float | int | None] = {"cohorts": len(both)}
    for name in AVERAGED:
        known = [row[name] for row in both if row[name] is not None]
        found[name] = float(np.mean(known)) if known else None
    return found


def _own(task: Task, cohort: Cohort) -> Row:
    top = selects(cohort.scores, task.form.edges[-1]) if isinstance(task.form, Bands) else None
    measures = cohort.quality(top).everyone
    row: Row = {
        "at": date(cohort.at),
        "examples": measures.examples,
        "positives": measures.positives,
        "scored": measures.scored,
    }
    whole = measures.scored == measures.examples
    # Of a cohort that was scored in part the others would be compared on other examples.
    row |= {name: getattr(measures, name) if whole else None for name in _OURS}
    return row | {"voided": cohort.voided, "unmatched": cohort.unmatched}


def _version(model: Model | None) -> Row:
    if model is None:
        return {"version": None, "state": None, "flips": None, "held": None}
    flips, held = model.metrics.get("flips"), model.state == "held"
    return {"version": model.version, "state": model.state, "flips": flips, "held": held}


def _others(compared: Compared, positive: NDArray[np.bool_], chosen: NDArray[np.intp]) -> Row:
    y = positive[chosen]
    refit = compared.refit[chosen]
    known = not np.isnan(refit).any()
    row: Row = {
        "refit_auc": auc(refit, y) if known else None,
        "refit_log_loss": log_loss(refit, y) if known else None,
    }
    for name, scores in (("best_auc", compared.best), ("recency_auc", compared.recency)):
        row[name] = None if scores is None else auc(scores[chosen], y)
    return row


def _told(cohort: Cohort) -> bool:
    """Whether our own scores of the cohort can be judged."""
    known = not np.isnan(cohort.scores).any()
    return known and 0 < int(cohort.positive.sum()) < len(cohort)
