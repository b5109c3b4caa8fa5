"""What a round tells the metrics of users who change segments."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from support.clicks import DAY, START, click
from support.learned import learned, models
from support.partition import records

from stream_app.engine import Profiles, step
from stream_app.kafka.partition.report import Report
from stream_app.metrics import Metrics


def test_users_who_change_segments_are_counted_by_where_they_came_from() -> None:
    metrics = Metrics(CollectorRegistry())
    profiles = Profiles(learned())
    profiles.use_models(models())
    # One click is nearer to s1, nine to s2; a segment is kept for a day.
    for at, clicks in ((START, 1), (START + 2 * DAY, 9)):
        values = [click("ann", at + n, at=at) for n in range(clicks)]
        taken = [records(values, at=at), []]
        Report.of(taken, step(profiles, taken)).count(metrics, at)

    def moves(before: str, after: str) -> float | None:
        labels = {"before": before, "after": after}
        return metrics.registry.get_sample_value("stream_app_segment_moves_total", labels)

    assert (moves("none", "s1"), moves("s1", "s2"), moves("none", "s2")) == (1, 1, None)
