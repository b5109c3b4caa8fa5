"""Rates of workers: events, CPU, rows and changes while they work a backlog off."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.events import Events
from bench.lanes import Lane, Offsets
from bench.load import fill
from bench.processes import MeasureError
from bench.worker import Sample, Worker, reach


@dataclass(frozen=True)
class Mark:
    """A sample of each worker, and the offsets that their changelog had taken about then."""

    samples: Sequence[Sample]
    offsets: int

    def total(self, counter: str) -> float:
        """A field's sum over the workers."""
        return float(sum(getattr(sample, counter) for sample in self.samples))


async def work_off(
    workers: Sequence[Worker], lane: Lane, chunks: Iterable[Events]
) -> dict[str, Any]:
    """The rate at which a group's idle, ready workers work off a backlog that appears all at once.

    They stand still (SIGSTOP) while the backlog is produced, so that producing is not measured. The
    clock runs from the moment they may go on to the last commit: nothing of the backlog is done
    before, nothing is left after. Slower than a steady stream of backlog would be, since partitions
    of unequal size end one after the other.
    """
    ready_made = list(chunks)
    async with Offsets(lane.servers, lane.plan.changelog) as changelog:
        before = [await worker.sample() for worker in workers]
        for worker in workers:
            worker.freeze()
        try:
            total = await fill(lane, ready_made)
            offsets = await changelog.total()
        finally:
            begun = [
                replace(sample, at=time.monotonic(), cpu=worker.cpu_seconds())
                for worker, sample in zip(workers, before, strict=True)
            ]
            for worker in workers:
                worker.thaw()
        ready_made.clear()
        end = await reach(workers, sum(sample.events for sample in before) + total)
        if [s.rebalances for s in end] != [s.rebalances for s in before]:
            raise MeasureError("the workers stood still for too long and lost their partitions")
        return _between(Mark(begun, offsets), Mark(end, await changelog.total()))


def _between(begin: Mark, end: Mark) -> dict[str, Any]:
    """What happened an event and a second between two marks."""

    def grown(counter: str) -> float:
        return end.total(counter) - begin.total(counter)

    number, transactions = grown("events"), grown("transactions")
    seconds = max(s.at for s in end.samples) - min(s.at for s in begin.samples)
    # A transaction writes its \0meta and its marker to the changelog beside the rows.
    rows = end.offsets - begin.offsets - 2 * transactions
    found = {
        "events_per_second": round(number / seconds, 1),
        "cpu_us_per_event": round(grown("cpu") / number * 1e6, 2),
        "rows_per_event": round(rows / number, 3),
        "changes_per_event": round(grown("changes") / number, 3),
        "events_per_transaction": round(number / max(1, transactions)),
        "events": round(number),
        "seconds": round(seconds, 2),
    }
    return found | (_busiest(begin, end, number) if len(end.samples) > 1 else {})


def _busiest(begin: Mark, end: Mark, number: float) -> dict[str, Any]:
    """CPU of the worker that took most, by the events of all: what decides when all are done where
    each has a core of its own; and how the events were shared.
    """
    pairs = list(zip(begin.samples, end.samples, strict=True))
    busiest = max(after.cpu - before.cpu for before, after in pairs)
    return {
        "busiest_cpu_us_per_event": round(busiest / number * 1e6, 2),
        "largest_share": round(max(a.events - b.events for b, a in pairs) / number, 3),
    }
