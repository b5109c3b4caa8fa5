"""What is aimed at, beside what was measured: each target is a row of a table.

Ratios are taken within each round, whose sides ran minutes apart on one broker; the figure is the
median of the rounds' ratios, not the ratio of their medians.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Results = Mapping[str, Any]
Rounds = Sequence[float]


@dataclass(frozen=True)
class Target:
    """`rounds` finds each round's figure, none where the part was not measured. `least` and `most`
    bound the median; without either it is told for comparison.
    """

    name: str
    rounds: Callable[[Results], Rounds]
    least: float | None = None
    most: float | None = None
    digits: int = 0

    def row(self, results: Results) -> str | None:
        """A line of the table; None where there is nothing to show."""
        found = self.rounds(results)
        if not found:
            return None
        cells = (self._number(statistics.median(found)), ", ".join(map(self._number, found)))
        return f"| {self.name} | {self._aim()} | {cells[0]} | {self._verdict(found)} | {cells[1]} |"

    def _number(self, figure: float) -> str:
        return f"{figure:,.{self.digits}f}"

    def _aim(self) -> str:
        if self.least is not None:
            return f"≥ {self._number(self.least)}"
        return "–" if self.most is None else f"≤ {self._number(self.most)}"

    def _verdict(self, found: Rounds) -> str:
        if self.least is None and self.most is None:
            return "–"
        median = statistics.median(found)
        low = self.least is not None and median < self.least
        high = self.most is not None and median > self.most
        return "**no**" if low or high else "yes"


def table(results: Results) -> str:
    """All targets for which something was measured, as Markdown; nothing where there is none."""
    rows = [row for target in TARGETS if (row := target.row(results))]
    head = ["| | target | measured | met | rounds |", "|---|---:|---:|---|---|"]
    return "\n".join(head + rows) if rows else ""


def of(part: str, key: str) -> Callable[[Results], Rounds]:
    """A figure of a part; `part` may be two names, one in the other."""
    return lambda results: [r[key] for r in _rounds(results, part) if r.get(key) is not None]


def ratio(
    part: str, to: str, key: str = "events_per_second", to_key: str = ""
) -> Callable[[Results], Rounds]:
    """A figure of a part by one of another in the same round."""

    def rounds(results: Results) -> Rounds:
        sides = (_rounds(results, part), _rounds(results, to))
        return [one[key] / other[to_key or key] for one, other in zip(*sides, strict=False)]

    return rounds


def _rounds(results: Results, part: str) -> Sequence[Mapping[str, Any]]:
    found: Any = results
    for name in part.split(" "):
        found = found.get(name, {})
    rounds: Sequence[Mapping[str, Any]] = found.get("rounds", ())
    return rounds


_CPU: Final = "cpu_us_per_event"

TARGETS: Final = (
    Target("all users known, events/s", of("worker_warm", "events_per_second"), least=50_000),
    Target(
        "with learning, events/s", of("worker_warm_learning", "events_per_second"), least=40_000
    ),
    Target("× stock Faust", ratio("worker_warm", "stock_faust"), least=15, digits=1),
    Target(
        "× stock Faust by CPU an event",
        ratio("stock_faust", "worker_warm", _CPU),
        digits=1,
    ),
    Target(
        "× the ceiling, consuming and decoding alone",
        ratio("worker_warm", "consume"),
        least=0.1,
        digits=2,
    ),
    Target("each event a new user, events/s", of("new_users", "events_per_second"), least=18_000),
    Target("p50 at 1,000 events/s, ms", of("latency 1000", "p50_ms"), most=35),
    Target("p99 at 1,000 events/s, ms", of("latency 1000", "p99_ms"), most=90),
    Target("p99 at 20,000 events/s, ms", of("latency 20000", "p99_ms"), most=150),
    Target("restoring all users, s", of("restore", "seconds"), most=10, digits=1),
    Target(
        "two workers × one, a core each (by CPU of the busier)",
        ratio("worker_warm", "two_workers", _CPU, "busiest_cpu_us_per_event"),
        least=1.6,
        digits=2,
    ),
    Target(
        "two workers × one, events/s with the broker on the same cores",
        ratio("two_workers", "worker_warm"),
        digits=2,
    ),
    Target(
        "CPU an event of two workers × one's", ratio("two_workers", "worker_warm", _CPU), digits=2
    ),
    Target(
        "a tenth of the users in memory × all there, events/s",
        ratio("worker_cold", "worker_warm"),
        least=0.5,
        digits=2,
    ),
    Target(
        "a tenth of the users in memory × all there, by CPU",
        ratio("worker_warm", "worker_cold", _CPU),
        digits=2,
    ),
    Target(
        "CPU an event, 1,000,000 users × 10,000",
        ratio("worker_warm", "cost 10000", _CPU),
        digits=2,
    ),
    Target(
        "CPU an event, 5,000,000 users × 10,000",
        ratio("cost_5m 5000000", "cost_5m 10000", _CPU),
        digits=2,
    ),
)
