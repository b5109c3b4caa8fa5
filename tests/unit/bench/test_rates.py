"""What samples of one worker, or of two together, say of a backlog."""

from __future__ import annotations

from bench.rates import Mark, _between
from bench.worker import Sample


def sample(at: float, cpu: float, events: int) -> Sample:
    return Sample(at, cpu, events, events // 2, events // 100, 10, 1, 0, 4)


def test_a_worker_alone() -> None:
    found = _between(Mark([sample(10.0, 1.0, 1_000)], 500), Mark([sample(12.0, 2.0, 3_000)], 1_540))
    assert found["events_per_second"] == 1_000
    assert found["cpu_us_per_event"] == 500
    # Of 1,040 offsets, 20 transactions took two each.
    assert found["rows_per_event"] == 0.5
    assert found["changes_per_event"] == 0.5
    assert "busiest_cpu_us_per_event" not in found


def test_two_workers_are_counted_together_and_the_busier_one_tells_when_they_are_done() -> None:
    begin = [sample(10.0, 1.0, 1_000), sample(10.1, 5.0, 0)]
    end = [sample(12.0, 2.2, 2_500), sample(12.0, 5.8, 500)]
    found = _between(Mark(begin, 0), Mark(end, 0))
    assert found["events"] == 2_000
    assert found["events_per_second"] == 1_000
    assert found["cpu_us_per_event"] == 1_000
    assert found["busiest_cpu_us_per_event"] == 600
    assert found["largest_share"] == 0.75
