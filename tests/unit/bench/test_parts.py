"""Which parts a run measures."""

from __future__ import annotations

import pytest

from bench.cases import _SECTIONS
from bench.parts import EXTRA, PARTS, chosen


def test_a_whole_run_measures_all_but_what_takes_too_long() -> None:
    assert chosen(None) == PARTS
    assert not set(PARTS) & set(EXTRA)


def test_the_other_side_of_a_ratio_is_measured_too() -> None:
    assert chosen("two_workers") == ("worker_warm", "two_workers")
    assert set(chosen("cost_5m,worker_cold")) == {"worker_warm", "worker_cold", "cost_5m"}
    assert chosen("latency,consume") == ("consume", "latency")


def test_an_unknown_part_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no such part: wrong; choose from worker, "):
        chosen("latency,wrong")


def test_every_part_is_measured_by_one_section() -> None:
    measured = [part for parts, _ in _SECTIONS for part in parts]
    assert sorted(measured) == sorted((*PARTS, *EXTRA))
