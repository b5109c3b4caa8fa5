"""Writes a report: figures as JSON, the same as a page, and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from stream_app.engine.catalogue import Catalogue
from stream_app.learning.snapshot import Model, Quantiles
from stream_app.report import pictures
from stream_app.report.grouping import beside_k_means, told
from stream_app.report.journal import Journal
from stream_app.report.markdown import page
from stream_app.report.predictions import Row, prediction
from stream_app.report.words import date

#: What the metrics of the population's model say of drift begin with.
_DRIFT = "drift_"


class Replayed(NamedTuple):
    """What was replayed: how many events of how many users, and from when to when (ms)."""

    events: int
    users: int
    first: int
    last: int


def write_report(
    folder: Path,
    journal: Journal,
    catalogue: Catalogue,
    replayed: Replayed,
    *,
    trained: bool,
    simulated_clicks: bool,
) -> dict[str, Any]:
    """Write `report.json`, `report.md` and pictures into `folder`, and return the figures.

    Takes the journal's memory once more, and about half a minute for 250,000 examples of one task
    and 25 columns: refits are most of it.
    """
    report = figures(
        journal, catalogue, replayed, trained=trained, simulated_clicks=simulated_clicks
    )
    folder.mkdir(parents=True, exist_ok=True)
    drawn = _draw(folder, journal, report["predictions"])
    text = msgspec.json.format(msgspec.json.encode(report), indent=2)
    (folder / "report.json").write_bytes(text + b"\n")
    (folder / "report.md").write_text(page(report, drawn))
    return report


def figures(
    journal: Journal,
    catalogue: Catalogue,
    replayed: Replayed,
    *,
    trained: bool,
    simulated_clicks: bool,
) -> dict[str, Any]:
    """All that a report says, as plain values."""
    declared = catalogue.features.declarations
    return {
        "data": {
            "events": replayed.events,
            "users": replayed.users,
            "from": date(replayed.first),
            "to": date(replayed.last),
            "catalogue": Path(catalogue.file).stem,
            "revision": catalogue.revision,
            "simulated_clicks": simulated_clicks,
        },
        "models": "learned on the way" if trained else "recorded before",
        "predictions": {
            task.name: prediction(task, journal, declared, simulated_clicks=simulated_clicks)
            for task in journal.learning.tasks
        },
        "segments": [
            told(fit.model) | {"beside_k_means": beside_k_means(fit)} for fit in journal.fits
        ],
        "population": _population([one for one in journal.models if one.kind == "population"]),
    }


def _population(models: list[Model]) -> Row | None:
    """The newest quantiles, and every alarm of drift on the day that it was first told."""
    if not models:
        return None
    newest = models[-1]
    assert isinstance(newest.scorer, Quantiles)
    return {
        "at": date(newest.created_at),
        "users": newest.trained.examples,
        "drift": list(_alarms(models)),
        "features": {
            name: {str(q): value for q, value in pairs}
            | {"missing": newest.metrics.get(f"missing_{name}")}
            for name, pairs in newest.scorer.by_column.items()
        },
    }


def _alarms(models: list[Model]) -> list[Row]:
    found, told_now = [], set[str]()
    for model in models:
        shifts = {
            name.removeprefix(_DRIFT): shift
            for name, shift in model.metrics.items()
            if name.startswith(_DRIFT) and name != f"{_DRIFT}alarms"
        }
        found += [
            {"series": series, "at": date(model.created_at), "shift": shift}
            for series, shift in shifts.items()
            if series not in told_now
        ]
        told_now = set(shifts)
    return found


def _draw(folder: Path, journal: Journal, tasks: Mapping[str, Any]) -> list[str]:
    drawn = []
    for name, task in tasks.items():
        rows, joined = task["cohorts"], journal.tasks[name]
        if any(row["auc"] is not None for row in rows):
            lines = {
                label: [row[key] for row in rows]
                for label, key in (
                    ("stream_app", "auc"),
                    ("refitted every week", "refit_auc"),
                    ("best single feature", "best_auc"),
                    ("recency", "recency_auc"),
                )
            }
            at = [cohort.at for cohort in joined.cohorts]
            title = name if task["evidence"] else f"{name} (simulated clicks: no evidence)"
            pictures.auc_by_cohort(title, at, lines, folder / f"auc_{name}.png")
            drawn.append(f"auc_{name}.png")
    if journal.fits:
        newest = journal.fits[-1]
        pictures.centroids_heat_map(newest.model, folder / "segments.png")
        pictures.sizes([fit.model for fit in journal.fits], folder / "sizes.png")
        pictures.components(newest.model, newest.vectors, folder / "components.png")
        drawn += ["segments.png", "sizes.png", "components.png"]
    return drawn
