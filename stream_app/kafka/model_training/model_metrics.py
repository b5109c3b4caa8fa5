"""What the newest version of each model says of itself, as gauges of the trainer's process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from stream_app.learning.scorers import Centroids
from stream_app.learning.snapshot import Model, SnapshotError, decode
from stream_app.metrics import Metrics

#: Of whom a figure is told, by how a metric's name begins.
_GROUPS: Final = {"everyone": "", "held_out": "held_out_", "exposed": "exposed_"}
#: Gauges of a task and a group, by the metric that they show.
_QUALITY: Final = {
    "model_auc": "auc",
    "model_log_loss": "log_loss",
    "model_lift": "lift",
    "model_calibration_error": "calibration",
    "model_precision": "precision",
    "model_cohort_examples": "examples",
    "model_cohort_positives": "positives",
}
_ENDINGS: Final = ("open", "voided", "unmatched", "refused")
#: Gauges of a task alone, by the metric that they show.
_FIGURES: Final = {
    "model_flips": "flips",
    "model_silhouette": "silhouette",
    "model_stability": "stability",
    "model_drift_alarms": "drift_alarms",
    "model_tagged_share": "share",
}
#: Gauges of a segment, or of a series, by how the metrics' names begin.
_NAMED: Final = {
    "segment_share": "size_",
    "segment_moved_spreads": "moved_",
    "model_drift": "drift_",
    "model_missing_share": "missing_",
}


class Figure(NamedTuple):
    """A gauge's value, with the labels that follow the task's."""

    name: str
    labels: tuple[str, ...]
    value: float


def figures(model: Model) -> Iterator[Figure]:
    """What gauges show of a model; what it cannot tell is left out."""
    yield Figure("model_newest_version", (), model.version)
    yield Figure("model_newest_timestamp_seconds", (), model.created_at / 1_000)
    yield Figure("model_held", (), float(model.state == "held"))
    yield Figure("model_live", (), float(model.state == "live"))
    yield Figure("model_learned_examples", (), model.trained.examples)
    metrics = {name: value for name, value in model.metrics.items() if value is not None}
    if "cohort" in metrics:
        yield Figure("model_cohort_timestamp_seconds", (), metrics["cohort"] / 1_000)
    for name, metric in _FIGURES.items():
        if metric in metrics:
            yield Figure(name, (), metrics[metric])
    if model.kind == "classifier":
        yield from _of_prediction(metrics)
    else:
        yield from _of_names(metrics)
    if isinstance(model.scorer, Centroids):
        for segment, users in zip(model.scorer.ids, model.scorer.sizes, strict=True):
            yield Figure("segment_users", (segment,), users)


def _of_prediction(metrics: Mapping[str, float]) -> Iterator[Figure]:
    for ending in _ENDINGS:
        if ending in metrics:
            yield Figure("model_examples", (ending,), metrics[ending])
    for name, metric in _QUALITY.items():
        for group, prefix in _GROUPS.items():
            if prefix + metric in metrics:
                yield Figure(name, (group,), metrics[prefix + metric])


def _of_names(metrics: Mapping[str, float]) -> Iterator[Figure]:
    for name, prefix in _NAMED.items():
        for metric, value in metrics.items():
            if metric.startswith(prefix) and metric not in _FIGURES.values():
                yield Figure(name, (metric.removeprefix(prefix),), value)


#: All gauges that `figures` can name.
GAUGES: Final = (
    *("model_newest_version", "model_newest_timestamp_seconds", "model_held", "model_live"),
    *("model_learned_examples", "model_cohort_timestamp_seconds", "model_examples"),
    *(*_FIGURES, *_QUALITY, *_NAMED, "segment_users"),
)


def tell(metrics: Metrics, model: Model) -> None:
    """Have the gauges of the model's task show this version, and nothing of those before."""
    for name in GAUGES:
        metrics.end(name, task=model.task)
    for name, labels, value in figures(model):
        metrics.set_labelled(name, (model.task, *labels), value)


def tell_published(metrics: Metrics, found: Mapping[bytes, bytes]) -> None:
    """Do so for the newest version of each task among the records of the topic `models`."""
    newest: dict[str, tuple[int, bytes]] = {}
    for key, value in found.items():
        task, _, number = key.decode(errors="replace").rpartition(":")
        if number.isdecimal():
            newest[task] = max(newest.get(task, (0, b"")), (int(number), value))
    for _, value in newest.values():
        try:
            tell(metrics, decode(value))
        except SnapshotError:
            # Whoever uses it counts and logs that.
            continue


def tell_nothing(metrics: Metrics) -> None:
    """End all of it: another trainer tells now."""
    for name in GAUGES:
        metrics.end(name)
