"""Whatever stands still ends the process (trap 11 of DESIGN: consumers die silently)."""

from __future__ import annotations

import threading

import pytest

from stream_app.health import Health
from stream_app.kafka.errors import Fatal
from stream_app.kafka.watchdog import Watchdog


class Watched:
    """A watchdog with a clock that tests move."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.failed: list[BaseException] = []
        self.health = Health(60_000)
        self.dog = Watchdog(self.health, 60.0, lambda: self.now, self.failed.append)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_loop_that_runs_and_work_that_moves_are_left_alone(watched):
    watched.health.assigned([0], watched.now)
    for _ in range(10):
        watched.now += 30_000
        watched.dog.beat()
        watched.health.progress(watched.now)
        watched.dog.check(watched.now)
    assert watched.failed == []


def test_a_loop_that_stands_still_fails_the_process(watched):
    watched.dog.check(watched.now + 60_000)
    assert watched.failed == []
    watched.dog.check(watched.now + 60_001)
    assert isinstance(watched.failed[0], Fatal)
    assert "the event loop has not run for 60 s" in str(watched.failed[0])


def test_work_that_waits_fails_the_process_though_the_loop_runs(watched):
    watched.health.assigned([0], watched.now)
    watched.health.restored(0, watched.now)
    watched.health.queued(0, 7, watched.now)
    watched.now += 60_000
    watched.dog.beat()
    watched.dog.check(watched.now)
    assert "no progress: 7 records wait" in str(watched.failed[0])


def test_a_restore_without_progress_fails_the_process(watched):
    watched.health.assigned([0], watched.now)
    watched.now += 59_999
    watched.dog.beat()
    watched.dog.check(watched.now)
    assert watched.failed == []
    watched.dog.check(watched.now + 1)
    assert "1 partitions restore" in str(watched.failed[0])


def test_nothing_to_do_is_no_stall(watched):
    watched.health.assigned([], watched.now)
    watched.now += 10**9
    watched.dog.beat()
    watched.dog.check(watched.now)
    assert watched.failed == []


def test_the_thread_looks_by_itself_and_stops():
    called = threading.Event()
    clock = iter([0, 0])
    dog = Watchdog(Health(1), 0.001, lambda: next(clock, 10**6), lambda error: called.set())
    dog.start()
    assert called.wait(10)
    dog.stop()
    dog._thread.join(10)
    assert not dog._thread.is_alive()
