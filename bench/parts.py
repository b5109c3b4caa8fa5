"""The parts that can be measured, and how much of everything each takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench import events

#: What a whole run measures.
PARTS: Final = (
    "worker",
    "worker_warm",
    "worker_warm_learning",
    "worker_cold",
    "two_workers",
    "cost",
    "stock_faust",
    "consume",
    "new_users",
    "latency",
    "restore",
    "memory",
)
#: What only `--only` measures: it takes 8 GB and minutes.
EXTRA: Final = ("cost_5m",)
#: Each round measures these as a side of a ratio, so they are measured where one of them is.
BESIDE: Final = {"two_workers": "worker_warm", "worker_cold": "worker_warm"}


@dataclass(frozen=True)
class Load:
    """Latency is measured at `rate` events/s for `seconds`, of which the first `skip` are not
    counted.
    """

    rate: int
    seconds: float
    skip: float


@dataclass(frozen=True)
class Sizes:
    """How much of everything; `flat` are events of known users while memory is watched, `resident`
    profiles in memory of a worker that keeps the others in its local store.
    """

    users: int = events.USERS
    few: tuple[int, ...] = (10_000, 100_000)
    many: int = 5_000_000
    resident: int = 100_000
    zipf: int = 700_000
    warm_up: int = 200_000
    warm: int = 700_000
    stock_s: float = 15.0
    # After a start the broker compiles its own code for 20 s, on the cores that the worker has.
    loads: tuple[Load, ...] = (Load(1_000, 35, 20), Load(10_000, 20, 8), Load(20_000, 20, 8))
    flat: int = 3_000_000


QUICK: Final = Sizes(
    users=50_000,
    few=(5_000, 10_000),
    many=60_000,
    resident=10_000,
    zipf=60_000,
    warm_up=20_000,
    warm=60_000,
    stock_s=5.0,
    loads=(Load(1_000, 5, 2), Load(20_000, 5, 2)),
    flat=100_000,
)


def chosen(only: str | None) -> tuple[str, ...]:
    """The parts named in `only`, by commas, with those they are compared with; all of a whole run
    without. Raises ValueError for a name that is none.
    """
    names = set(only.split(",")) if only else set(PARTS)
    if unknown := names - {*PARTS, *EXTRA}:
        known = ", ".join((*PARTS, *EXTRA))
        raise ValueError(f"no such part: {', '.join(sorted(unknown))}; choose from {known}")
    names |= {BESIDE[name] for name in names & set(BESIDE)}
    return tuple(part for part in (*PARTS, *EXTRA) if part in names)
