"""The rate is that of the middle of a backlog, however what is done comes out."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bench.peers import traffic
from bench.peers.steady import SETTLE_S, window

MARKS = 400
WEIGHTS = {f"mark-{number}": 100 for number in range(MARKS)}
EVENTS = 100 * MARKS


def flow(rate: float, begin: float = 0.0) -> dict[str, float]:
    """Moments of marks that come out as they are done."""
    return {m: begin + (n + 1) * 100 / rate for n, m in enumerate(WEIGHTS)}


def committed(moments: dict[str, float], interval: float, burst: float = 0.1) -> dict[str, float]:
    """The same, but what is done appears at the next commit, within `burst` seconds."""
    found = {}
    for number, (mark, at) in enumerate(moments.items()):
        found[mark] = math.ceil(at / interval) * interval + burst * number / MARKS
    return found


@given(rate=st.floats(500, 5_000), late=st.floats(0, 60))
def test_a_late_start_is_not_in_it(rate: float, late: float) -> None:
    found = window(WEIGHTS, flow(rate, 100 + late), 100)
    assert found.steady
    assert found.rate == pytest.approx(rate, rel=0.02)


@given(rate=st.floats(500, 2_000), interval=st.floats(1, 5))
def test_waiting_for_commits_is_not_in_it(rate: float, interval: float) -> None:
    found = window(WEIGHTS, committed(flow(rate), interval), 0)
    assume(found.steady)
    # A commit's share of the backlog may round by one mark; its burst is short.
    assert found.rate == pytest.approx(rate, rel=0.04)


def test_the_whole_backlog_says_less_where_commits_are_waited_for() -> None:
    moments = committed(flow(1_900), 5)
    assert EVENTS / max(moments.values()) < 0.9 * window(WEIGHTS, moments, 0).rate


def test_a_backlog_that_is_too_short_is_told_and_taken_whole() -> None:
    found = window(WEIGHTS, committed(flow(10_000), 5), 0)
    assert not found.steady
    assert found.events == EVENTS
    assert found.rate == pytest.approx(EVENTS / 5, rel=0.05)


def test_what_comes_out_at_once_is_taken_at_once() -> None:
    """The first commit's burst lasts; only what comes after it is time that passed."""
    moments = committed(flow(1_000), 5, burst=SETTLE_S)
    assert window(WEIGHTS, moments, 0).rate == pytest.approx(1_000, rel=0.04)


def test_marks_stand_for_all_events_of_a_backlog() -> None:
    _, load, _ = traffic.backlog(60, 300, 2_000)
    assert len(load.weights) == traffic.SLICES * 2 * traffic.PARTITIONS
    assert sum(load.weights.values()) == 2_000
    assert len(load.records) == 2_000 + len(load.weights)
