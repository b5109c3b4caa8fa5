"""The report for people: one page in Markdown from the figures of `report.json`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from stream_app.report.words import number

Figures = Mapping[str, Any]

_QUANTILES: Final = ("0.05", "0.5", "0.95")


def page(report: Figures, pictures: Sequence[str]) -> str:
    """The page; `pictures` are the names of files beside it."""
    lines = [*_head(report), *_summary(report["predictions"])]
    for name, task in report["predictions"].items():
        lines += [*_prediction(name, task), *_shown(f"auc_{name}.png", pictures)]
    lines += [*_segments(report["segments"]), *_population(report["population"])]
    for name in ("segments.png", "sizes.png", "components.png"):
        lines += _shown(name, pictures)
    return "\n".join(lines) + "\n"


def _head(report: Figures) -> Iterator[str]:
    data = report["data"]
    yield "# How good learning was"
    yield ""
    yield (
        f"{data['events']:,} events of {data['users']:,} users, {data['from']} to {data['to']}; "
        f"catalogue {data['catalogue']}, revision {data['revision']}; models were "
        f"{report['models']}."
    )
    if not all(task["evidence"] for task in report["predictions"].values()):
        yield ""
        yield (
            "**Clicks are simulated.** Predictions that read them are marked: their figures say "
            "something about the code and nothing about people."
        )
    yield ""


def _summary(tasks: Figures) -> Iterator[str]:
    yield "Averages inside cohorts, of those for which scores and refit can both be told, beginners"
    yield "included: ours by the score given when users were drawn; a logistic regression of"
    yield "scikit-learn on the same features, refitted every week on what had closed by then; the"
    yield "best single feature, chosen with hindsight; and recency alone."
    yield ""
    yield from _averages_of("average", tasks)
    yield "Of these, cohorts that were drawn when a version decided tags, after warming up:"
    yield ""
    yield from _averages_of("average_deciding", tasks)


def _averages_of(kind: str, tasks: Figures) -> Iterator[str]:
    yield from _table(
        ["prediction", "cohorts", "AUC", "refit", "best single feature", "recency", "log loss",
         "refit", "lift", "calibration"],
        [[_name(name, task), *_averages(task, kind)] for name, task in tasks.items()],
    )  # fmt: skip


def _averages(task: Figures, kind: str) -> list[str]:
    of, best = task[kind], task["best_feature"]
    single = f"{number(of['best_auc'])} ({best['feature']})" if best else "-"
    return [
        f"{of['cohorts']:,}",
        number(of["auc"]),
        number(of["refit_auc"]),
        single,
        number(of["recency_auc"]),
        number(of["log_loss"]),
        number(of["refit_log_loss"]),
        number(of["lift"], 2),
        number(of["calibration"]),
    ]


def _prediction(name: str, task: Figures) -> Iterator[str]:
    yield f"## {_name(name, task)}"
    yield ""
    yield f"{task['description']} {task['examples']:,} examples closed, {task['positives']:,} came"
    yield f"true; {task['versions']:,} versions, of which {task['held']:,} were held."
    yield ""
    if not task["evidence"]:
        reads = ", ".join(task["reads_simulated_clicks"])
        yield f"**No evidence**: it reads simulated clicks ({reads})."
        yield ""
    yield from _table(
        ["drawn", "examples", "true", "AUC", "refit", "best", "recency", "log loss", "refit",
         "lift", "calibration", "precision", "state", "flips"],
        (_cohort(row) for row in task["cohorts"]),
    )  # fmt: skip


def _cohort(row: Figures) -> list[str]:
    state = "-" if row["state"] is None else row["state"]
    return [
        row["at"],
        f"{row['examples']:,}",
        f"{row['positives']:,}",
        *(number(row[name]) for name in ("auc", "refit_auc", "best_auc", "recency_auc")),
        *(number(row[name]) for name in ("log_loss", "refit_log_loss")),
        number(row["lift"], 2),
        *(number(row[name]) for name in ("calibration", "precision")),
        state,
        number(row["flips"]),
    ]


def _segments(fits: Sequence[Figures]) -> Iterator[str]:
    if not fits:
        return
    yield "## Segments"
    yield ""
    yield from _table(
        ["fitted", "k", "users", "sizes", "silhouette", "of k-means", "agreement", "what became"],
        (_fit(fit) for fit in fits),
    )
    yield from _table(
        ["segment", "in words", "users"],
        ([s["id"], s["label"], f"{s['size']:,}"] for s in fits[-1]["segments"]),
    )


def _fit(fit: Figures) -> list[str]:
    beside = fit["beside_k_means"]
    became = [
        f"{', '.join(one['before']) or 'new'} {one['fate']}: {', '.join(one['after']) or 'none'}"
        for one in fit["transitions"]
        if one["before"] != one["after"]
    ]
    return [
        fit["at"],
        f"{fit['k']}",
        f"{fit['users']:,}",
        ", ".join(f"{one['id']} {one['size']:,}" for one in fit["segments"]),
        *(number(beside.get(name)) for name in ("silhouette", "k_means_silhouette", "agreement")),
        "; ".join(became),
    ]


def _population(population: Figures | None) -> Iterator[str]:
    if population is None:
        return
    yield f"## Population on {population['at']}"
    yield ""
    for one in population["drift"]:
        yield f"- {one['series']} has moved by {one['shift']:.3f}, told on {one['at']}"
    yield "" if population["drift"] else "No drift was told.\n"
    yield from _table(
        ["feature", "missing", "5 %", "median", "95 %"],
        (
            [name, number(one["missing"]), *(number(one.get(q), 2) for q in _QUANTILES)]
            for name, one in population["features"].items()
        ),
    )


def _name(name: str, task: Figures) -> str:
    return name if task["evidence"] else f"{name} (no evidence)"


def _shown(name: str, pictures: Sequence[str]) -> list[str]:
    return [f"![{name}]({name})", ""] if name in pictures else []


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
