"""What is read from processes under measurement: counters, progress, causes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from bench import latency, others
from bench.lanes import Lane
from bench.processes import MeasureError, Process, _seconds
from bench.seed import Record
from bench.worker import _sums
from stream_app.domain.decode import DecodeOptions, Decoder

LANE = Lane("127.0.0.1:9", "unit", "retail")


def test_a_metric_is_the_sum_of_its_series() -> None:
    text = b'# HELP a b\na_total{t="x"} 2.0\na_total{t="y"} 3.0\na_totals 7.0\nb 1e3\n'
    assert dict(_sums(text)) == {"a_total": 5.0, "a_totals": 7.0, "b": 1000.0}


def test_stock_faust_counts_from_the_first_line_to_the_one_that_has_all() -> None:
    lines = [
        {"at": 10.0, "cpu": 1.0, "events": 100},
        {"at": 11.0, "cpu": 1.5, "events": 1_100},
        {"at": 19.0, "cpu": 1.6, "events": 1_100},
    ]
    found = others._rate(lines, 1_100)
    assert found["events_per_second"] == 1_000
    assert found["cpu_us_per_event"] == 500


def test_a_delay_is_counted_for_the_event_that_a_change_names() -> None:
    probe, sent = latency.Probe(LANE), np.array([1.0, 2.0, 3.0])
    for event_id in ("live-1", "live-2", "other-2"):
        probe._take({"event_id": event_id}, "live", 3.5, sent)
    probe._take(None, "live", 3.5, sent)
    assert probe.without_cause == 2
    found = latency._percentiles(probe, sent, 0.0)
    assert (found["changes"], found["max_ms"], found["p50_ms"]) == (2, 1500.0, 1000.0)
    assert latency._percentiles(probe, sent, 2.5)["changes"] == 1
    assert latency._percentiles(probe, sent, 9.0)["changes"] == 0


def test_a_process_is_measured_and_ended_by_its_own_id(tmp_path: Path) -> None:
    code = "import time\nprint('up', flush=True)\nt = time.process_time()\n"
    # User and system time are each cut to whole ticks: of exactly 0.2 s, 0.19 may be told.
    code += "while time.process_time() - t < 0.3: pass\ntime.sleep(60)"
    with Process(["-c", code], tmp_path / "log", {}) as process:
        deadline = time.monotonic() + 20
        while process.cpu_seconds() < 0.2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert process.cpu_seconds() >= 0.2
        assert process.resident_bytes() > 1_000_000
        assert process.alive
    assert not process.alive
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


async def test_a_process_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    code = "import sys; sys.exit('no luck')"
    with (
        Process(["-c", code], tmp_path / "log", {}) as process,
        pytest.raises(MeasureError, match="no luck"),
    ):
        await process.wait_end(20)


def test_ps_shows_times_in_three_ways() -> None:
    assert _seconds("00:01:02") == 62
    assert _seconds("1-00:00:01") == 86_401
    assert _seconds("2:03.50") == 123.5


def test_an_event_that_waits_lacks_only_its_moment() -> None:
    users, rng = np.arange(300), np.random.default_rng(1)
    waiting = latency._prepare(LANE, "live", users, rng)
    values = [head + b"2026-01-02T03:04:05.678Z" + tail for *_, head, tail in waiting]
    records = [[], []]
    for (topic, *_), value in zip(waiting, values, strict=True):
        records[topic == LANE.plan.purchases].append(Record(value, 1_767_323_045_700, 0))
    decoded = Decoder(DecodeOptions()).decode(records)
    assert decoded.rejected == []
    assert set(decoded.batch.at.tolist()) == {1_767_323_045_678}
