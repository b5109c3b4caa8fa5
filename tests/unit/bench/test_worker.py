"""Workers of a group, watched together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from bench import worker as module
from bench.processes import MeasureError
from bench.worker import Sample, Worker, reach, share

EMPTY = Sample(0.0, 0.0, 0, 0, 0, 0, 0, 0, 0)


class Told(Worker):
    """A worker that tells one sample after the other, and the last one from then on."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = list(samples)

    async def sample(self) -> Sample:
        return self._samples.pop(0) if len(self._samples) > 1 else self._samples[0]

    async def ready(self, seconds: float = 0.0) -> float:
        return 0.0

    def check(self) -> None:
        return

    def tail(self, lines: int = 30) -> str:
        return "its last words"


def telling(field: str, *values: int) -> Told:
    """Samples a second apart."""
    figures: list[dict[str, Any]] = [{"at": float(n), field: v} for n, v in enumerate(values)]
    return Told(replace(EMPTY, **figure) for figure in figures)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.0)
    monkeypatch.setattr(module, "RARELY_S", 0.0)


async def test_a_group_has_done_what_its_workers_did_together() -> None:
    workers = [telling("events", 1, 4, 5, 9), telling("events", 1, 2, 6, 9)]
    assert [sample.events for sample in await reach(workers, 10)] == [5, 6]


async def test_a_group_that_stands_still_is_told_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "STALL_S", 1.5)
    with pytest.raises(MeasureError, match="stuck at 3 of 10 events\nits last words"):
        await reach([telling("events", 1, 3, 3, 3, 3, 3)], 10)


async def test_a_group_shares_its_partitions_evenly() -> None:
    await share([telling("partitions", 4, 2), telling("partitions", 0, 2)], 20)
    with pytest.raises(MeasureError, match=r"\[3, 1\] partitions, not 2 each"):
        await share([telling("partitions", 3), telling("partitions", 1)], 0.1)
