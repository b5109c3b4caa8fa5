"""From each round's figures to medians, results.json and a table.

`python -m bench.report` writes the table of bench/results.json into docs/performance.md.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from bench import targets
from bench.parts import EXTRA
from bench.processes import ROOT

RESULTS: Final = ROOT / "bench" / "results.json"
PAGE: Final = ROOT / "docs" / "performance.md"
BEGIN: Final = "<!-- results -->"
END: Final = "<!-- end of results -->"
THROUGHPUT: Final = (
    "worker_warm",
    "worker_warm_learning",
    "worker_cold",
    "two_workers",
    "worker",
    "new_users",
    "stock_faust",
    "consume",
)
#: Parts that have figures for each of several sizes: `found` names them "latency 1000".
SIZED: Final = ("latency", "cost", "cost_5m")
_NAMES: Final = {
    "worker_warm": "worker, all users known",
    "worker_warm_learning": "the same with five predictions, segments and unusual users",
    "worker_cold": "the same with a tenth of the users in memory",
    "two_workers": "two workers, all users known",
    "worker": "worker, first pass",
    "new_users": "worker, each event a new user",
    "stock_faust": "stock Faust, one table write an event",
    "consume": "aiokafka + orjson.loads only",
}


def summarise(found: Mapping[str, Sequence[Mapping[str, Any]]], about: Mapping[str, Any]) -> Any:
    """results.json: a part's medians, with every round's figures under `rounds`."""
    results: dict[str, Any] = {}
    for part in (*THROUGHPUT, "restore", "memory"):
        if found.get(part):
            results[part] = _medians(found[part])
    for name, rounds in found.items():
        part, _, size = name.partition(" ")
        if part in SIZED and rounds:
            results.setdefault(part, {})[size] = _medians(rounds)
    if "memory" in results and found.get("flat"):
        results["memory"]["flat"] = found["flat"][0]
    return results | dict(about)


def added(results: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
    """results.json with the parts of a run that measured only such as a whole run leaves out, each
    with that run's date.
    """
    dated = {"date": more["date"]}
    return dict(results) | {part: more[part] | dated for part in EXTRA if part in more}


def _medians(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    medians = {
        key: statistics.median(numbers)
        for key in rounds[0]
        if len(numbers := [r[key] for r in rounds if isinstance(r[key], int | float)])
        == len(rounds)
    }
    return medians | {"rounds": list(rounds)}


def table(results: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    parts = [
        targets.table(results),
        _throughput(results),
        _latency(results),
        _cost(results),
        _cold(results),
        _restore(results),
        _memory(results),
    ]
    return "\n\n".join(part for part in parts if part)


def _throughput(results: Mapping[str, Any]) -> str:
    shown = [part for part in THROUGHPUT if part in results]
    if not shown:
        return ""
    head = "| | events/s | CPU µs/event | rows/event | changes/event | rounds (events/s) |"
    lines = [head, "|---|---:|---:|---:|---:|---|"]
    for part in shown:
        found = results[part]
        rounds = ", ".join(f"{r['events_per_second']:,.0f}" for r in found["rounds"])
        lines.append(
            f"| {_NAMES[part]} (`{part}`) | {found['events_per_second']:,.0f} "
            f"| {found['cpu_us_per_event']:.1f} | {_or_dash(found, 'rows_per_event')} "
            f"| {_or_dash(found, 'changes_per_event')} | {rounds} |"
        )
    return "\n".join(lines)


def _or_dash(found: Mapping[str, Any], key: str) -> str:
    return f"{found[key]:.2f}" if key in found else "–"


def _latency(results: Mapping[str, Any]) -> str:
    lines = [
        f"| {int(rate):,} | {found['p50_ms']:.0f} | {found['p99_ms']:.0f} | {found['max_ms']:.0f} "
        f"| {found['changes']:,.0f} |"
        for rate, found in results.get("latency", {}).items()
        if rate.isdecimal() and found.get("p50_ms") is not None
    ]
    head = ["| events/s | p50 ms | p99 ms | longest ms | changes |", "|---:|---:|---:|---:|---:|"]
    return "\n".join(head + lines) if lines else ""


def _cost(results: Mapping[str, Any]) -> str:
    """CPU and memory by the number of users, those of runs of their own last."""
    by_users = dict(results.get("cost", {}))
    if by_users and "worker_warm" in results:
        by_users[str(results["sizes"]["users"])] = results["worker_warm"]
    rows = [*_costs(by_users, ""), *_costs(results.get("cost_5m", {}), " (a run of its own)")]
    head = [
        "| users | CPU µs/event | rows/event | events/s | resident MB | bytes a further user |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    return "\n".join(head + rows) if rows else ""


def _costs(by_users: Mapping[str, Any], note: str) -> Iterator[str]:
    """A line for each number of users; memory is compared with that of the fewest."""
    found = [(int(users), figures) for users, figures in by_users.items() if users.isdecimal()]
    for users, figures in found:
        fewest, least = found[0]
        more = figures["resident_bytes"] - least["resident_bytes"]
        # Of less users the buffers of working off are more than the rows.
        each = f"{more / (users - fewest):,.0f}" if users >= 50 * fewest else "–"
        yield (
            f"| {users:,}{note} | {figures['cpu_us_per_event']:.1f} "
            f"| {figures['rows_per_event']:.2f} | {figures['events_per_second']:,.0f} "
            f"| {figures['resident_bytes'] / 1e6:,.0f} | {each} |"
        )


def _cold(results: Mapping[str, Any]) -> str:
    found, users = results.get("worker_cold"), results.get("sizes", {}).get("users")
    if not found or "worker_warm" not in results:
        return ""
    return (
        f"With {found['resident_users']:,.0f} of {users:,} users in memory: "
        f"{found['resident_bytes'] / 1e6:,.0f} MB resident, with all of them "
        f"{results['worker_warm']['resident_bytes'] / 1e6:,.0f} MB; "
        f"{found['cold_reads_per_event']:.2f} rows read from the local store an event."
    )


def _restore(results: Mapping[str, Any]) -> str:
    found = results.get("restore")
    if not found:
        return ""
    return (
        f"Restoring {found['profiles']:,.0f} profiles from {found['updates']:,.0f} updates, "
        f"uncompacted: {found['seconds']:.1f} s; from the process's start to ready "
        f"{found['start_to_ready_seconds']:.1f} s."
    )


def _memory(results: Mapping[str, Any]) -> str:
    found = results.get("memory")
    if not found:
        return ""
    text = (
        f"Memory: {found['bytes_per_profile']:,.0f} bytes resident a profile at "
        f"{found['profiles']:,.0f} users."
    )
    flat = found.get("flat")
    if flat:
        sizes = ", ".join(f"{size / 1e6:,.0f}" for size in flat["resident_bytes"])
        text += (
            f" Over {flat['events']:,} further events of known users, resident MB at first and "
            f"after every {flat['every']:,}: {sizes}."
        )
    return text


def page(results: Mapping[str, Any]) -> str:
    """All tables and what they were measured on."""
    return f"{table(results)}\n\n{provenance(results)}"


def provenance(results: Mapping[str, Any]) -> str:
    """One line on what the figures were measured on."""
    machine, versions = results["machine"], results["versions"]
    return (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB, "
        f"{machine['system']}; the broker on the same machine. Python {versions['python']}, "
        f"Apache Kafka {versions['kafka']}, aiokafka {versions['aiokafka']}, "
        f"faust-streaming {versions['faust-streaming']}. Seed {results['seed']}, {results['date']}."
    )


def write_page(results: Mapping[str, Any], file: Path = PAGE) -> None:
    """Put the table between the page's marks."""
    before, begin, rest = file.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{file} lacks {BEGIN} or {END}")
    file.write_text(f"{before}{begin}\n{page(results)}\n{end}{after}")


if __name__ == "__main__":
    write_page(orjson.loads(RESULTS.read_bytes()))
