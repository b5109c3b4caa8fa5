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
    # Medians of the rounds' ratios: 7.5, 25 and 13.3.
    assert "| × stock Faust | ≥ 15.0 | 13.3 | **no** | 7.5, 25.0, 13.3 |" in text


def known(cpu: float, resident: int) -> dict[str, float]:
    return rate(50_000) | {
        "cpu_us_per_event": cpu,
        "rows_per_event": 0.5,
        "resident_bytes": resident,
    }


def test_cost_is_told_by_the_number_of_users_and_memory_by_the_further_ones() -> None:
    found = {
        "worker_warm": [known(18.0, 1_590_000_000)],
        "cost 10000": [known(16.0, 105_000_000)],
        "cost 100000": [known(17.0, 240_000_000)],
        "cost_5m 10000": [known(16.5, 100_000_000)],
        "cost_5m 5000000": [known(19.0, 7_585_000_000)],
    }
    text = report.table(report.summarise(found, {"sizes": {"users": 1_000_000}}))
    assert "| 10,000 | 16.0 | 0.50 | 50,000 | 105 | – |" in text
    assert "| 1,000,000 | 18.0 | 0.50 | 50,000 | 1,590 | 1,500 |" in text
    assert "| 5,000,000 (a run of its own) | 19.0 | 0.50 | 50,000 | 7,585 | 1,500 |" in text
    assert "5,000,000 users × 10,000 | – | 1.15 | – | 1.15 |" in text


def test_a_worker_with_few_users_in_memory_stands_beside_one_with_all() -> None:
    cold = known(30.0, 600_000_000) | {"resident_users": 100_000, "cold_reads_per_event": 0.125}
    found = {"worker_warm": [known(18.0, 1_500_000_000)], "worker_cold": [cold]}
    text = report.table(report.summarise(found, {"sizes": {"users": 1_000_000}}))
    assert "With 100,000 of 1,000,000 users in memory: 600 MB" in text
    assert "| ≥ 0.50 | 1.00 | yes | 1.00 |" in text


def test_parts_of_another_run_are_added_with_their_date() -> None:
    results = report.summarise(FOUND, ABOUT)
    other = report.summarise(
        {"cost_5m 10000": [known(1, 1)], "worker_warm": [rate(1)]},
        ABOUT | {"date": "2026-02-03T00:00:00+00:00"},
    )
    both = report.added(results, other)
    assert both["worker_warm"] == results["worker_warm"]
    assert both["date"] == ABOUT["date"]
    assert both["cost_5m"]["date"] == "2026-02-03T00:00:00+00:00"
    assert both["cost_5m"]["10000"]["cpu_us_per_event"] == 1
    assert "10,000 (a run of its own)" in report.table(both)


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(ValueError, match="lacks"):
        report.write_page(report.summarise(FOUND, ABOUT), page)
