"""Gauges of the newest version of each model, and nothing left of the versions before."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from support.learned import segments
from support.trainer import model

from stream_app.kafka.model_training.model_metrics import GAUGES, figures, tell, tell_published
from stream_app.learning.snapshot import Model, current_key, encode, key
from stream_app.metrics import LABELS, Metrics

QUALITY = {
    "auc": 0.8, "held_out_auc": 0.7, "exposed_auc": None, "positives": 20.0, "open": 5.0,
    "cohort": 86_400_000.0, "flips": 0.05,
}  # fmt: skip


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"stream_app_{name}", labels)


def prediction(version: int = 1, **fields: Any) -> Model:
    return replace(model(version), **({"metrics": QUALITY} | fields))


def cut(version: int, *ids: str, **figures: float | None) -> Model:
    scorer = replace(segments(*range(len(ids)), ids=ids), sizes=[7] * len(ids))
    return replace(
        model(version, task="segments"), kind="segments", scorer=scorer, metrics=figures
    )  # fmt: skip


def test_quality_is_told_by_group_and_what_is_not_known_is_not(metrics: Metrics) -> None:
    tell(metrics, prediction())
    told = {g: value(metrics, "model_auc", task="counted", group=g) for g in
            ("everyone", "held_out", "exposed")}  # fmt: skip
    assert told == {"everyone": 0.8, "held_out": 0.7, "exposed": None}
    assert value(metrics, "model_cohort_positives", task="counted", group="everyone") == 20
    assert value(metrics, "model_examples", task="counted", ending="open") == 5
    assert value(metrics, "model_cohort_timestamp_seconds", task="counted") == 86_400
    assert value(metrics, "model_newest_timestamp_seconds", task="counted") == 86_400
    assert value(metrics, "model_flips", task="counted") == 0.05


@pytest.mark.parametrize(
    ("state", "live", "held"), [("live", 1, 0), ("held", 0, 1), ("warming", 0, 0)]
)
def test_states(metrics: Metrics, state: str, live: int, held: int) -> None:
    tell(metrics, prediction(state=state))
    assert value(metrics, "model_live", task="counted") == live
    assert value(metrics, "model_held", task="counted") == held


def test_nothing_is_left_of_a_version_before_and_other_tasks_stay(metrics: Metrics) -> None:
    tell(metrics, prediction())
    tell(metrics, prediction(task="other"))
    tell(metrics, prediction(2, metrics={"auc": None}))
    assert value(metrics, "model_newest_version", task="counted") == 2
    for name, labels in (("model_auc", {"group": "everyone"}), ("model_flips", {})):
        assert value(metrics, name, task="counted", **labels) is None
        assert value(metrics, name, task="other", **labels) == QUALITY[name.removeprefix("model_")]


def test_segments_that_are_gone_have_no_series(metrics: Metrics) -> None:
    tell(metrics, cut(1, "s1", "s2", size_s1=0.5, moved_s1=None, moved_s2=0.4, silhouette=0.3))
    assert value(metrics, "segment_share", task="segments", segment="s1") == 0.5
    assert value(metrics, "segment_moved_spreads", task="segments", segment="s2") == 0.4
    assert value(metrics, "segment_moved_spreads", task="segments", segment="s1") is None
    assert value(metrics, "model_silhouette", task="segments") == 0.3
    tell(metrics, cut(2, "s3"))
    assert value(metrics, "segment_users", task="segments", segment="s1") is None
    assert value(metrics, "segment_users", task="segments", segment="s3") == 7


def test_drift_is_told_by_series_and_its_number_is_no_series(metrics: Metrics) -> None:
    found = cut(1, "s1", drift_alarms=1.0, drift_spend_30d=-0.2, missing_spend_30d=0.5)
    tell(metrics, replace(found, task="population"))
    assert value(metrics, "model_drift_alarms", task="population") == 1
    assert value(metrics, "model_drift", task="population", series="spend_30d") == -0.2
    assert value(metrics, "model_drift", task="population", series="alarms") is None
    assert value(metrics, "model_missing_share", task="population", feature="spend_30d") == 0.5


def test_each_figure_is_a_declared_gauge_with_its_labels() -> None:
    found = [*figures(prediction()), *figures(cut(1, "s1", size_s1=0.5, drift_x=1.0))]
    assert {figure.name for figure in found} <= set(GAUGES) <= LABELS.keys()
    for name, labels, _ in found:
        assert LABELS[name][0] == "task"
        assert len(LABELS[name]) == 1 + len(labels)


def test_of_what_is_published_the_newest_of_each_task_is_told(metrics: Metrics) -> None:
    one, two = (encode(prediction(n)) for n in (9, 10))
    tell_published(
        metrics,
        {key("counted", 10): two, key("counted", 9): one, current_key("counted"): one,
         key("other", 3): b"{}"},
    )  # fmt: skip
    assert value(metrics, "model_newest_version", task="counted") == 10
    assert value(metrics, "model_newest_version", task="other") is None
