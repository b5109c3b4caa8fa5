"""Every metric, declared once. Names are without their prefix `stream_app_`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import ArrayLike
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.core import HistogramMetricFamily, Metric

from stream_app.domain.changes import Action

PREFIX: Final = "stream_app_"
#: The tag label of a tag that the current catalogue does not declare.
OTHER: Final = "(other)"

Found = TypeVar("Found")

ROUND_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
DELAY_SECONDS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 600.0, 3600.0)
RESTORE_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
SIZES: Final = (1.0, 10.0, 100.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0)


@dataclass(frozen=True)
class Declared:
    """One row of the table below; `buckets` are upper bounds, for histograms only."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


TABLE: Final = (
    Declared("events", "counter", "Events read from an input topic.", ("topic",)),
    Declared("routed", "counter", "Events sent on to their user's partition.", ("topic",)),
    Declared("purge_failures", "counter", "Times that arrived events could not be deleted."),
    Declared("rejected", "counter", "Events refused and sent to dead letters.", ("reason",)),
    Declared("duplicates", "counter", "Events dropped because their id was seen.", ("topic",)),
    Declared("tag_changes", "counter", "Committed changes of tags.", ("tag", "action")),
    Declared("transactions", "counter", "Transactions by how they ended.", ("outcome",)),
    Declared("rebalances", "counter", "Assignments of partitions received."),
    Declared("clock_jumps", "counter", "Times that the wall clock was set by over a minute."),
    Declared("reconnects", "counter", "Times that the brokers were lost and tried again."),
    Declared("catalogue_reload_failures", "counter", "Catalogue files refused while running."),
    Declared("training_records", "counter", "Records that a trainer has folded.", ("kind",)),
    Declared("training_refused", "counter", "Records of training that could not be read."),
    Declared("training_foreign", "counter", "Examples of other features, not learned from."),
    Declared("drift_alarms", "counter", "Daily means found to have moved.", ("series",)),
    Declared("models_published", "counter", "Models that a trainer has published.", ("task",)),
    Declared("models_differing", "counter", "Models learned anew with other content.", ("task",)),
    Declared("models_refused", "counter", "Models that could not be used.", ("reason",)),
    Declared("model_version", "gauge", "Version of a model that is in use.", ("task",)),
    Declared(
        "model_created_timestamp_seconds",
        "gauge",
        "Event time at which the model in use was made.",
        ("task",),
    ),
    Declared("model_paused", "gauge", "1 while a model cannot be used here.", ("task",)),
    *(
        # What the newest version says of itself; see kafka/model_training/model_metrics.py.
        Declared(name, "gauge", text, ("task", *labels))
        for name, text, *labels in (
            ("model_newest_version", "Newest version of a model, held ones included."),
            ("model_newest_timestamp_seconds", "Event time up to which the newest one learned."),
            ("model_held", "1 while the newest version is held."),
            ("model_live", "1 while the newest version is live."),
            ("model_learned_examples", "Examples or users that the newest version learned."),
            ("model_cohort_timestamp_seconds", "Day end of the newest closed cohort."),
            ("model_examples", "Examples by their end, since the first record.", "ending"),
            ("model_flips", "Share of tags that the newest version changes."),
            ("model_auc", "Area under the ROC curve in the newest cohort.", "group"),
            ("model_log_loss", "Log loss in the newest cohort, in nats.", "group"),
            ("model_lift", "Lift of the best-scored tenth in the newest cohort.", "group"),
            ("model_calibration_error", "|mean score - share that came true|.", "group"),
            ("model_precision", "Share of those tagged for whom it came true.", "group"),
            ("model_cohort_examples", "Examples of the newest cohort.", "group"),
            ("model_cohort_positives", "Examples of it that came true.", "group"),
            ("model_silhouette", "Silhouette of the segments."),
            ("model_stability", "How far segments of other samples agree, 0 to 1."),
            ("model_tagged_share", "Share of users that are beyond the threshold."),
            ("model_drift_alarms", "Daily means that were found to have moved in four weeks."),
            ("model_drift", "By how much a daily mean has moved.", "series"),
            ("model_missing_share", "Share of sampled users without a value.", "feature"),
            ("segment_users", "Sampled users that a segment was fitted to.", "segment"),
            ("segment_share", "Share of sampled users in a segment.", "segment"),
            ("segment_moved_spreads", "How far a segment's users have moved.", "segment"),
        )
    ),
    Declared(
        "segment_moves",
        "counter",
        "Users that went from one segment to another.",
        ("before", "after"),
    ),
    Declared("lag", "gauge", "Records of an input not yet committed.", ("topic", "partition")),
    Declared("queued", "gauge", "Records waiting in memory for the next round.", ("partition",)),
    Declared("users", "gauge", "Profiles, in memory or not.", ("partition",)),
    Declared("forgotten_users", "counter", "Users forgotten because no event of them came."),
    Declared("resident_users", "gauge", "Profiles in memory.", ("partition",)),
    Declared("standby_partitions", "gauge", "Partitions of other workers that are followed."),
    Declared("standby_lag", "gauge", "Records that a followed copy lacks.", ("partition",)),
    Declared("cold_reads", "counter", "Profiles read from the local store."),
    Declared("cold_writes", "counter", "Profiles written to the local store."),
    Declared("tag_users", "gauge", "Users that have a tag.", ("tag", "partition")),
    Declared(
        "partition_time_seconds",
        "gauge",
        "Time that a partition has reached, seconds since 1970.",
        ("partition",),
    ),
    Declared(
        "dead_letter_ratio",
        "gauge",
        "Share of refused events in the current run; the process stops at dead_letter_share.",
        ("partition",),
    ),
    Declared("ready", "gauge", "1 when /readyz answers 200."),
    Declared("catalogue", "gauge", "1, labelled with the catalogue in use.", ("revision",)),
    Declared("tag_class", "gauge", "1, labelled with a declared tag's class.", ("tag", "class")),
    Declared("build", "gauge", "1, labelled with what runs.", ("version", "python", "faust")),
    Declared("batch_size", "histogram", "Events in a round.", buckets=SIZES),
    Declared(
        "batch_seconds",
        "histogram",
        "Time of a round's decoding, folding and deciding.",
        buckets=ROUND_SECONDS,
    ),
    Declared(
        "transaction_seconds",
        "histogram",
        "Time from first send to end of commit.",
        buckets=ROUND_SECONDS,
    ),
    Declared(
        "event_to_change_seconds",
        "histogram",
        "From the event's Kafka timestamp to the commit of the change that it caused.",
        buckets=DELAY_SECONDS,
    ),
    Declared(
        "restore_seconds", "histogram", "Time of a partition's restoring.", buckets=RESTORE_SECONDS
    ),
)

LABELS: Final = {declared.name: declared.labels for declared in TABLE}


def process_registry() -> CollectorRegistry:
    """A registry with what the system tells of this process: `process_cpu_seconds_total` and more,
    none of it in the table.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


class UndeclaredMetric(KeyError):
    """A metric that the table does not have, or one used as another kind."""


class Histogram:
    """Counts of values below bounds; takes whole arrays, which prometheus_client's does not."""

    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self._bounds = np.asarray(declared.buckets)
        self._counts = np.zeros(len(declared.buckets) + 1, np.int64)
        self._sum = 0.0

    def observe(self, values: ArrayLike) -> None:
        """Adds one value or an array of them."""
        array = np.atleast_1d(np.asarray(values, np.float64))
        places = np.searchsorted(self._bounds, array, side="left")
        self._counts += np.bincount(places, minlength=len(self._counts))
        self._sum += float(array.sum())

    def collect(self) -> Iterator[Metric]:
        bounds = [*map(str, self._declared.buckets), "+Inf"]
        totals = np.cumsum(self._counts).tolist()
        name, text = PREFIX + self._declared.name, self._declared.help
        yield HistogramMetricFamily(
            name, text, buckets=list(zip(bounds, totals, strict=True)), sum_value=self._sum
        )


class Metrics:
    """The metrics of one process, in the registry that is given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        self._tags: frozenset[str] = frozenset()
        for declared in TABLE:
            self._declare(declared)

    def _declare(self, declared: Declared) -> None:
        name, text, labels = PREFIX + declared.name, declared.help, declared.labels
        if declared.kind == "counter":
            self._counters[declared.name] = Counter(name, text, labels, registry=self.registry)
        elif declared.kind == "gauge":
            self._gauges[declared.name] = Gauge(name, text, labels, registry=self.registry)
        else:
            histogram = self._histograms[declared.name] = Histogram(declared)
            self.registry.register(histogram)

    def count(self, name: str, by: float = 1, **labels: object) -> None:
        """Adds to a counter; 0 makes its series exist. Raises UndeclaredMetric."""
        counter = _find(self._counters, name)
        if "tag" in labels and labels["tag"] not in self._tags:
            labels["tag"] = OTHER
        (counter.labels(**labels) if labels else counter).inc(by)

    def count_each(self, name: str, counts: Mapping[tuple[str, ...], int]) -> None:
        """Adds each of `counts`, by label values in declared order."""
        labels = LABELS.get(name, ())
        for values, by in counts.items():
            self.count(name, by, **dict(zip(labels, values, strict=True)))

    def set(self, name: str, value: float, **labels: object) -> None:
        """Sets a gauge. Raises UndeclaredMetric."""
        gauge = _find(self._gauges, name)
        (gauge.labels(**labels) if labels else gauge).set(value)

    def set_labelled(self, name: str, labels: Sequence[str], value: float) -> None:
        """Sets a gauge, by label values in declared order. Raises UndeclaredMetric."""
        _find(self._gauges, name).labels(*labels).set(value)

    def end(self, name: str, **labels: str) -> None:
        """Ends the series of a gauge that have these labels; all of them without any. Raises
        UndeclaredMetric.
        """
        gauge = _find(self._gauges, name)
        gauge.remove_by_labels(labels) if labels else gauge.clear()

    def observe(self, name: str, values: ArrayLike) -> None:
        """Adds one value, or an array of them, to a histogram. Raises UndeclaredMetric."""
        _find(self._histograms, name).observe(values)

    def use_catalogue(self, revision: str, tags: Mapping[str, str]) -> None:
        """Names the catalogue in use; only its tags, by name to class, get series of their own."""
        former, self._tags = self._tags, frozenset(tags)
        for tag in former - self._tags:
            self._counters["tag_changes"].remove_by_labels({"tag": tag})
        self._gauges["catalogue"].clear()
        self.set("catalogue", 1, revision=revision)
        self._gauges["tag_class"].clear()
        for tag, cls in tags.items():
            self.set_labelled("tag_class", (tag, cls), 1)
            for action in get_args(Action):
                # A series that begins with its first count has no increase to tell.
                self.count("tag_changes", 0, tag=tag, action=action)

    def forget(self, partition: int) -> None:
        """Ends the gauges of a partition that went to another worker."""
        for declared in TABLE:
            if "partition" in declared.labels:
                gauge = self._gauges[declared.name]
                gauge.remove_by_labels({"partition": str(partition)})


def _find(table: dict[str, Found], name: str) -> Found:
    try:
        return table[name]
    except KeyError:
        raise UndeclaredMetric(f"{name} is not declared so in stream_app/metrics.py") from None
