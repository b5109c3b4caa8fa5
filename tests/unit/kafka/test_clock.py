"""The wall clock moves time only once both inputs were read to their ends."""

from __future__ import annotations

from stream_app.kafka.clock import FRESH_MS, CaughtUp


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
