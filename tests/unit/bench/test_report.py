"""Rounds become medians, and medians become the page's table."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import machine, report


def rate(events_per_second: float) -> dict[str, float]:
    return {"events_per_second": events_per_second, "cpu_us_per_event": 20.0}


FOUND = {
    "worker_warm": [rate(30_000), rate(50_000), rate(40_000)],
    "stock_faust": [rate(4_000), rate(2_000), rate(3_000)],
    "latency 1000": [{"p50_ms": 40.0, "p99_ms": 90.0, "max_ms": 95.0, "changes": 10}],
    "memory": [{"profiles": 1_000, "bytes_per_profile": 1_400}],
    "flat": [{"events": 2, "every": 1, "resident_bytes": [1_000_000, 1_000_000]}],
    "restore": [],
}
ABOUT = machine.about("4.1.1", "2026-01-02T03:04:05+00:00", {})


def test_medians_stand_beside_every_round() -> None:
    results = report.summarise(FOUND, ABOUT)
    assert results["worker_warm"]["events_per_second"] == 40_000
    assert [r["events_per_second"] for r in results["worker_warm"]["rounds"]] == [
        30_000,
        50_000,
        40_000,
    ]
    assert results["latency"]["1000"]["p99_ms"] == 90.0
    assert results["memory"]["flat"]["events"] == 2
    assert "restore" not in results
    assert results["seed"] == ABOUT["seed"]


def test_a_figure_that_one_round_lacks_has_no_median() -> None:
    rounds = [{"p50_ms": None, "p99_ms": 1.0}, {"p50_ms": 2.0, "p99_ms": 3.0}]
    results = report.summarise({"latency 1000": rounds}, {})
    assert "p50_ms" not in results["latency"]["1000"]
    assert results["latency"]["1000"]["p99_ms"] == 2.0


def test_the_page_gets_the_table_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write_page(report.summarise(FOUND, ABOUT), page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "40,000" in text
    assert "13.3 times" in text


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="lacks"):
        report.write_page(report.summarise(FOUND, ABOUT), page)
