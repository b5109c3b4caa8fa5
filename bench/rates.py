"""Rates of the worker: events, CPU, rows and changes while it works a backlog off."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from bench.events import Events
from bench.lanes import Lane, Offsets
from bench.load import fill
from bench.processes import MeasureError
from bench.worker import Sample, Worker


@dataclass(frozen=True)
class Mark:
    """A sample of the worker, and the offsets that its changelog had taken about then."""

    sample: Sample
    offsets: int


async def work_off(worker: Worker, lane: Lane, chunks: Iterable[Events]) -> dict[str, Any]:
    """The rate at which an idle, ready worker works off a backlog that appears all at once.

    The worker stands still (SIGSTOP) while the backlog is produced, so that producing is not
    measured. The clock runs from the moment it may go on to its last commit: nothing of the backlog
    is done before, nothing is left after. Slower than a steady stream of backlog would be, since
    partitions of unequal size end one after the other.
    """
    ready_made = list(chunks)
    async with Offsets(lane.servers, lane.plan.changelog) as changelog:
        before = await worker.sample()
        worker.freeze()
        try:
            total = await fill(lane, ready_made)
            offsets = await changelog.total()
        finally:
            begun = replace(before, at=time.monotonic(), cpu=worker.cpu_seconds())
            worker.thaw()
        ready_made.clear()
        end = await worker.reach(before.events + total)
        if end.rebalances != before.rebalances:
            raise MeasureError("the worker stood still for too long and lost its partitions")
        return _between(Mark(begun, offsets), Mark(end, await changelog.total()))


def _between(begin: Mark, end: Mark) -> dict[str, Any]:
    """What happened an event and a second between two marks."""
    events = end.sample.events - begin.sample.events
    seconds = end.sample.at - begin.sample.at
    transactions = end.sample.transactions - begin.sample.transactions
    # A transaction writes its \0meta and its marker to the changelog beside the rows.
    rows = end.offsets - begin.offsets - 2 * transactions
    return {
        "events_per_second": round(events / seconds, 1),
        "cpu_us_per_event": round((end.sample.cpu - begin.sample.cpu) / events * 1e6, 2),
        "rows_per_event": round(rows / events, 3),
        "changes_per_event": round((end.sample.changes - begin.sample.changes) / events, 3),
        "events_per_transaction": round(events / max(1, transactions)),
        "events": events,
        "seconds": round(seconds, 2),
    }
