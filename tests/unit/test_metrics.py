from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from stream_app.metrics import (
    PREFIX,
    TABLE,
    Declared,
    Histogram,
    Metrics,
    UndeclaredMetric,
    process_registry,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(PREFIX + name, labels)


def test_counters_add_up(metrics: Metrics) -> None:
    metrics.count("events", 3, topic="clicks")
    metrics.count("events", 4, topic="clicks")
    metrics.count("rebalances")
    assert value(metrics, "events_total", topic="clicks") == 7
    assert value(metrics, "rebalances_total") == 1


def test_rows_of_labels_are_counted_together(metrics: Metrics) -> None:
    metrics.use_catalogue("1", {"loyal": "behaviour"})
    metrics.count_each("tag_changes", {("loyal", "added"): 2, ("lost", "added"): 1})
    assert value(metrics, "tag_changes_total", tag="loyal", action="added") == 2
    assert value(metrics, "tag_changes_total", tag="(other)", action="added") == 1


def test_two_registries_share_nothing(metrics: Metrics) -> None:
    metrics.count("rebalances")
    assert value(Metrics(CollectorRegistry()), "rebalances_total") == 0


def test_an_undeclared_metric_raises(metrics: Metrics) -> None:
    with pytest.raises(UndeclaredMetric, match="evnts"):
        metrics.count("evnts", topic="clicks")
    with pytest.raises(UndeclaredMetric, match="events"):
        metrics.set("events", 1, topic="clicks")
    with pytest.raises(UndeclaredMetric, match="lag"):
        metrics.observe("lag", 1.0)


def test_labels_are_those_declared(metrics: Metrics) -> None:
    with pytest.raises(ValueError, match="label"):
        metrics.count("events", shop="berlin")


def test_only_tags_of_the_catalogue_get_series(metrics: Metrics) -> None:
    metrics.use_catalogue("1", {"loyal": "behaviour", "lost": "basic"})
    for tag in ("loyal", "lost", "unheard_of"):
        metrics.count("tag_changes", tag=tag, action="added")
    metrics.use_catalogue("2", {"loyal": "spending"})
    metrics.count("tag_changes", tag="lost", action="removed")
    assert value(metrics, "tag_changes_total", tag="loyal", action="added") == 1
    assert value(metrics, "tag_changes_total", tag="lost", action="added") is None
    assert value(metrics, "tag_changes_total", tag="(other)", action="added") == 1
    assert value(metrics, "tag_changes_total", tag="(other)", action="removed") == 1
    assert value(metrics, "catalogue", revision="1") is None
    assert value(metrics, "catalogue", revision="2") == 1


def test_tags_are_told_by_class(metrics: Metrics) -> None:
    metrics.use_catalogue("1", {"loyal": "behaviour", "lost": "basic"})
    metrics.use_catalogue("2", {"loyal": "spending"})
    text = generate_latest(metrics.registry).decode()
    found = [line for line in text.splitlines() if line.startswith(PREFIX + "tag_class{")]
    assert found == [PREFIX + 'tag_class{class="spending",tag="loyal"} 1.0']


def test_a_declared_tag_has_series_before_it_changes(metrics: Metrics) -> None:
    metrics.use_catalogue("1", {"loyal": "behaviour"})
    for action in ("added", "removed", "updated"):
        assert value(metrics, "tag_changes_total", tag="loyal", action=action) == 0
    metrics.count("tag_changes", 2, tag="loyal", action="added")
    metrics.use_catalogue("2", {"loyal": "behaviour"})
    assert value(metrics, "tag_changes_total", tag="loyal", action="added") == 2


def test_the_system_tells_of_the_process() -> None:
    registry = process_registry()
    assert registry is not process_registry()
    assert registry.get_sample_value("process_resident_memory_bytes") > 0
    assert registry.get_sample_value("process_start_time_seconds") > 0


def test_a_partition_that_left_has_no_gauges(metrics: Metrics) -> None:
    for partition in (1, 11):
        metrics.set("users", 5, partition=partition)
        metrics.set("lag", 9, topic="clicks", partition=partition)
    metrics.forget(1)
    assert value(metrics, "users", partition="1") is None
    assert value(metrics, "lag", topic="clicks", partition="1") is None
    assert value(metrics, "users", partition="11") == 5


@given(st.lists(st.floats(0, 1e6)), st.lists(st.floats(0, 1e6)))
def test_a_histogram_counts_each_value_once(first: list[float], second: list[float]) -> None:
    histogram = Histogram(Declared("size", "histogram", "Size.", buckets=(1.0, 10.0, 1_000.0)))
    histogram.observe(first)
    for one in second:
        histogram.observe(one)
    both = np.array(first + second)
    samples = {s.labels.get("le", s.name): s.value for s in next(histogram.collect()).samples}
    assert [samples[le] for le in ("1.0", "10.0", "1000.0", "+Inf")] == [
        np.sum(both <= bound) for bound in (1, 10, 1_000, np.inf)
    ]
    assert samples["stream_app_size_sum"] == pytest.approx(both.sum())


def test_histograms_are_exposed(metrics: Metrics) -> None:
    metrics.observe("batch_size", [3, 700])
    text = generate_latest(metrics.registry).decode()
    assert 'stream_app_batch_size_bucket{le="500.0"} 1.0' in text
    assert "stream_app_batch_size_count 2.0" in text


@pytest.mark.parametrize("declared", TABLE, ids=lambda declared: declared.name)
def test_each_metric_is_well_declared_and_documented(declared: Declared) -> None:
    assert declared.help.endswith(".")
    assert list(declared.buckets) == sorted(set(declared.buckets))
    assert bool(declared.buckets) == (declared.kind == "histogram")
    suffix = "_total" if declared.kind == "counter" else ""
    labels = f"{{{','.join(declared.labels)}}}" if declared.labels else ""
    assert f"`{PREFIX}{declared.name}{suffix}{labels}`" in DOCUMENT.read_text()
