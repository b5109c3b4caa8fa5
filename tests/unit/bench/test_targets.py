"""Targets beside what was measured: ratios within rounds, verdicts on their medians."""

from __future__ import annotations

from typing import Any

from bench.targets import TARGETS, Target, of, ratio, table


def part(*rates: float, cpu: float = 20.0) -> dict[str, Any]:
    rounds = [{"events_per_second": rate, "cpu_us_per_event": cpu} for rate in rates]
    return {"rounds": rounds}


def test_a_ratio_is_taken_within_rounds() -> None:
    results = {"worker_warm": part(10, 60, 90), "stock_faust": part(1, 2, 9)}
    # The ratio of the medians would be 30.
    row = Target("×", ratio("worker_warm", "stock_faust"), least=15).row(results)
    assert row == "| × | ≥ 15 | 10 | **no** | 10, 30, 10 |"


def test_a_median_on_its_bound_meets_it() -> None:
    results = {"latency": {"1000": {"rounds": [{"p99_ms": n} for n in (80, 90, 200)]}}}
    p99 = of("latency 1000", "p99_ms")
    assert Target("p99", p99, most=90).row(results) == "| p99 | ≤ 90 | 90 | yes | 80, 90, 200 |"
    assert "| yes |" in str(Target("p99", p99, least=90).row(results))
    assert "**no**" in str(Target("p99", p99, most=89).row(results))
    assert "**no**" in str(Target("p99", p99, least=91).row(results))


def test_what_has_no_target_has_no_verdict() -> None:
    row = Target("rate", of("worker", "events_per_second"), digits=1).row({"worker": part(5)})
    assert row == "| rate | – | 5.0 | – | 5.0 |"


def test_what_was_not_measured_has_no_row() -> None:
    assert table({"machine": {}, "worker_warm": {"rounds": []}}) == ""
    assert Target("×", ratio("worker_warm", "consume")).row({"worker_warm": part(5)}) is None
    assert of("latency 1000", "p50_ms")({"latency": {"1000": {"rounds": [{"p50_ms": None}]}}}) == []


def test_each_target_finds_its_figures_where_a_run_puts_them() -> None:
    figures = {
        "events_per_second": 5.0,
        "cpu_us_per_event": 5.0,
        "busiest_cpu_us_per_event": 5.0,
        "seconds": 5.0,
        "p50_ms": 5.0,
        "p99_ms": 5.0,
    }
    one: dict[str, Any] = {"rounds": [figures]}
    names = ("worker_warm", "worker_warm_learning", "worker_cold", "two_workers", "stock_faust")
    results: dict[str, Any] = dict.fromkeys((*names, "consume", "new_users", "restore"), one)
    results["latency"] = {"1000": one, "20000": one}
    results["cost"] = {"10000": one}
    results["cost_5m"] = {"10000": one, "5000000": one}
    assert len(table(results).splitlines()) == 2 + len(TARGETS)
