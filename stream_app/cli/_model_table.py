"""Published models as tables: of each kind the few figures that say how good it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from stream_app.domain.clock import to_rfc3339
from stream_app.learning.scorers import Centroids, Quantiles
from stream_app.learning.snapshot import Kind, Model

Cell = Callable[[Model], str]


class Row(NamedTuple):
    """A version of a task's model; in place of a model that cannot be used, why."""

    task: str
    version: int
    in_use: bool
    model: Model | str
    pinned: bool = False


def current(rows: Sequence[Row]) -> list[Row]:
    """Those of each task that are in use or, as one that is held, newer; rows are newest first."""
    found, passed = [], set()
    for row in rows:
        if row.task not in passed:
            found.append(row)
        if row.in_use:
            passed.add(row.task)
    return found


def tables(rows: Sequence[Row]) -> Iterator[Table]:
    """A table a kind, a version a row; `*` marks the one in use. Then what cannot be used."""
    read = [(row, row.model) for row in rows if isinstance(row.model, Model)]
    for kind, columns in _COLUMNS.items():
        chosen = [(row, model) for row, model in read if model.kind == kind]
        if chosen:
            yield _table(kind, columns, chosen)
    broken = [row for row in rows if isinstance(row.model, str)]
    if broken:
        table = Table("task", "version", "cannot be used, because", box=SIMPLE_HEAD)
        for row in broken:
            table.add_row(escape(row.task), _version(row), escape(str(row.model)))
        yield table


def plain(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The same as JSON has it, with all metrics."""
    return [_plain(row) for row in rows]


def _plain(row: Row) -> dict[str, Any]:
    told = {"task": row.task, "version": row.version, "in_use": row.in_use, "pinned": row.pinned}
    model = row.model
    if isinstance(model, str):
        return told | {"fault": model}
    return told | {
        "kind": model.kind,
        "state": model.state,
        "learned_from": to_rfc3339(model.trained.from_),
        "learned_until": to_rfc3339(model.trained.to),
        "examples": model.trained.examples,
        "positives": model.trained.positives,
        "metrics": dict(sorted(model.metrics.items())),
    }


def _table(kind: Kind, columns: Mapping[str, Cell], chosen: Sequence[tuple[Row, Model]]) -> Table:
    table = Table(_TITLES[kind], "version", "state", "until", box=SIMPLE_HEAD)
    for column in table.columns:
        column.no_wrap = True
    table.columns[1].justify = "right"
    for name in columns:
        table.add_column(name, justify="right")
    for row, model in chosen:
        cells = [cell(model) for cell in columns.values()]
        first = (escape(row.task), _version(row), _state(model.state), _day(model.trained.to))
        table.add_row(*first, *map(escape, cells))
    return table


def _version(row: Row) -> str:
    return f"{row.version}{'*' if row.in_use else ' '}{' pinned' if row.pinned else ''}"


def _state(state: str) -> str:
    return state if state == "live" else f"[yellow]{state}[/]"


def _day(ms: float) -> str:
    return to_rfc3339(int(ms))[:10]


def _metric(name: str, shape: str = ".3f") -> Cell:
    def cell(model: Model) -> str:
        value = model.metrics.get(name)
        return "-" if value is None else format(value, shape)

    return cell


def _cohort(model: Model) -> str:
    at = model.metrics.get("cohort")
    return "-" if at is None else _day(at)


def _learned(model: Model) -> str:
    return f"{model.trained.examples:,}"


def _share(model: Model) -> str:
    """How many of the newest cohort came true, and of how many."""
    positives, examples = (model.metrics.get(name) for name in ("positives", "examples"))
    return "-" if positives is None or not examples else f"{positives / examples:.1%}"


def _largest(model: Model) -> str:
    sizes = model.scorer.sizes if isinstance(model.scorer, Centroids) else []
    return f"{max(sizes) / sum(sizes):.0%}" if any(sizes) else "-"


def _features(model: Model) -> str:
    scorer = model.scorer
    return str(len(scorer.by_column) if isinstance(scorer, Quantiles) else len(model.columns))


def _threshold(model: Model) -> str:
    return f"{model.thresholds[0]:.4f}" if model.thresholds else "-"


_TITLES: Final[Mapping[Kind, str]] = {
    "classifier": "prediction",
    "segments": "segments",
    "anomaly": "unusual users",
    "population": "population",
}
#: What the figures mean: docs/learning.md.
_COLUMNS: Final[Mapping[Kind, Mapping[str, Cell]]] = {
    "classifier": {
        "learned": _learned,
        "cohort": _cohort,
        "came true": _share,
        "AUC": _metric("auc"),
        "held out": _metric("held_out_auc"),
        "log loss": _metric("log_loss"),
        "lift": _metric("lift", ".2f"),
        "calibr.": _metric("calibration"),
    },
    "segments": {
        "users": _learned,
        "k": _metric("k", ".0f"),
        "silhouette": _metric("silhouette"),
        "stability": _metric("stability"),
        "largest": _largest,
    },
    "anomaly": {
        "users": _learned,
        "threshold": _threshold,
        "beyond it": _metric("share", ".2%"),
    },
    "population": {
        "users": _learned,
        "features": _features,
        "drift alarms": _metric("drift_alarms", ".0f"),
    },
}
