"""The wall clock moves time only once both inputs were read to their ends, and runs evenly."""

from __future__ import annotations

import pytest

from stream_app.kafka.partition.clock import BELIEVED_MS, FRESH_MS, SET_MS, CaughtUp, Evenness

HOUR_MS = 3_600_000


def caught_up(now: int = 1_000_000) -> CaughtUp:
    clock = CaughtUp(2)
    clock.observe(0, 10, 10, now, queue_empty=True)
    clock.observe(1, 5, 5, now, queue_empty=True)
    return clock


def test_both_inputs_must_be_at_their_ends() -> None:
    clock = CaughtUp(2)
    clock.observe(0, 10, 10, 1_000_000, queue_empty=True)
    clock.observe(1, 4, 5, 1_000_000, queue_empty=True)
    assert not clock.at(1_000_000)
    clock.observe(1, 5, 5, 1_000_000, queue_empty=True)
    assert clock.at(1_000_000)


def test_what_is_still_queued_is_not_read() -> None:
    clock = CaughtUp(1)
    clock.observe(0, 10, 10, 1_000_000, queue_empty=False)
    assert not clock.at(1_000_000)


def test_an_old_fetch_says_nothing() -> None:
    clock = caught_up()
    assert clock.at(1_000_000 + FRESH_MS)
    assert not clock.at(1_000_001 + FRESH_MS)


def test_new_events_do_not_stop_it_but_a_new_assignment_does() -> None:
    clock = caught_up()
    clock.observe(0, 10, 5_000, 1_000_000, queue_empty=False)
    assert clock.at(1_000_000)
    clock.reset()
    assert not clock.at(1_000_000)


def test_no_fetch_yet_is_not_caught_up() -> None:
    clock = CaughtUp(1)
    clock.observe(0, 0, None, 0, queue_empty=True)
    clock.observe(0, 0, -1, 0, queue_empty=True)
    assert not clock.at(1_000_000)


def test_a_fetch_before_the_clock_was_set_back_says_nothing() -> None:
    clock = caught_up(HOUR_MS)
    assert not clock.at(HOUR_MS - FRESH_MS - 1)
    assert clock.at(HOUR_MS - FRESH_MS)


def test_a_clock_that_runs_evenly_is_believed_from_the_start() -> None:
    even = Evenness()
    assert all(even.at(5_000 + at, at) for at in range(0, 10 * HOUR_MS, 1_000))


def test_a_clock_that_is_corrected_slowly_is_believed() -> None:
    even = Evenness()
    assert all(even.at(at + at // 10, at) for at in range(0, 10 * HOUR_MS, 1_000))


@pytest.mark.parametrize("by", [SET_MS + 1, -SET_MS - 1, 100 * HOUR_MS])
def test_a_clock_that_was_set_is_believed_once_it_has_run_evenly(by: int, caplog) -> None:
    even = Evenness()
    even.at(0, 0)
    steps = range(1_000, BELIEVED_MS + 1_000, 1_000)
    assert not any(even.at(at + by, at) for at in steps)
    assert even.at(BELIEVED_MS + 1_000 + by, BELIEVED_MS + 1_000)
    [told] = caplog.messages
    assert f"was set by {by / 1000:+.0f} s" in told


def test_a_clock_that_was_set_and_set_back_is_not_believed_at_once() -> None:
    jumps: list[None] = []
    even = Evenness(lambda: jumps.append(None))
    even.at(0, 0)
    assert not even.at(HOUR_MS, 1_000)
    assert not even.at(2_000, 2_000)
    assert len(jumps) == 2
    assert not even.at(BELIEVED_MS, BELIEVED_MS)
    assert even.at(BELIEVED_MS + 2_000, BELIEVED_MS + 2_000)
