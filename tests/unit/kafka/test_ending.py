"""How a worker ends: exit codes, messages, and whether it starts again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading

import pytest

from stream_app.kafka import ending
from stream_app.kafka.ending import (
    RESTARTS,
    STOPS,
    end_process,
    may_start_again,
    on_stop,
    stay_ended,
)
from stream_app.kafka.errors import Fatal, Refusal


class Left(BaseException):
    """In place of the end of this process."""


@pytest.fixture(autouse=True)
def left(monkeypatch):
    """Neither leaves this process nor what it heeds changed."""

    def leave(*how: object) -> None:
        raise Left(*how)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(os, "execv", leave)
    monkeypatch.delenv(RESTARTS, raising=False)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ended(error: BaseException) -> tuple[object, ...]:
    with pytest.raises(Left) as caught:
        end_process(error)
    return caught.value.args


@pytest.mark.parametrize(
    ("error", "code"), [(Fatal("a"), 75), (ValueError("b"), 75), (Refusal("c"), 78)]
)
def test_the_code_says_whether_a_new_start_helps(error, code):
    assert ended(error) == (code,)


def test_known_errors_are_said_in_a_line_and_bugs_with_a_traceback(caplog):
    ended(Fatal("the broker left"))
    assert caplog.records[-1].message == "Ending: the broker left"
    assert caplog.records[-1].exc_info is None
    ended(ValueError("a bug"))
    assert caplog.records[-1].exc_info


def test_where_asked_for_it_starts_again_with_the_same_arguments(monkeypatch):
    monkeypatch.setenv(RESTARTS, "0")
    monkeypatch.setattr(sys, "argv", ["stream-app", "worker", "--catalog", "shop.yaml"])
    monkeypatch.setattr(ending, "_started", ending.time.monotonic())
    again = (
        sys.executable,
        [sys.executable, "-m", "stream_app", "worker", "--catalog", "shop.yaml"],
    )
    assert ended(Fatal("a")) == again
    assert os.environ[RESTARTS] == "1"
    assert ended(Fatal("a")) == again
    assert os.environ[RESTARTS] == "2"


def test_a_refusal_is_final(monkeypatch):
    monkeypatch.setenv(RESTARTS, "0")
    assert ended(Refusal("decide")) == (78,)


def test_a_worker_that_was_told_to_stop_stays_ended(monkeypatch):
    monkeypatch.setenv(RESTARTS, "3")
    stay_ended()
    assert ended(Fatal("did not stop in time")) == (75,)


@pytest.fixture
def waits(monkeypatch):
    waited: list[float] = []

    def wait(signals: object, seconds: float) -> None:
        assert signals == STOPS
        waited.append(seconds)

    monkeypatch.setattr(signal, "sigtimedwait", wait)
    return waited


def test_waits_double_up_to_half_a_minute_and_start_small_after_a_good_while(monkeypatch, waits):
    for tries in range(12):
        monkeypatch.setenv(RESTARTS, str(tries))
        may_start_again()
    assert waits[:4] == [0.5, 1, 2, 4]
    assert waits[-1] == 30
    monkeypatch.setattr(ending, "_started", ending.time.monotonic() - 301)
    ended(Fatal("a"))
    assert os.environ[RESTARTS] == "1"


def test_a_first_start_does_not_wait(waits):
    may_start_again()
    assert waits == []
    assert os.environ[RESTARTS] == "0"


def told_to_stop(number: int) -> None:
    # To this thread: the test run has others, which would take what is sent to the process.
    signal.pthread_kill(threading.get_ident(), number)


@pytest.mark.parametrize("number", STOPS)
def test_told_to_stop_while_it_starts_again_it_ends_well_and_at_once(monkeypatch, number):
    monkeypatch.setenv(RESTARTS, "9")
    ended(Fatal("a"))
    told_to_stop(number)
    with pytest.raises(SystemExit) as caught:
        may_start_again()
    assert caught.value.code == 0


@pytest.mark.parametrize("number", STOPS)
async def test_told_to_stop_before_it_listens_it_hears_it_then(monkeypatch, number, waits):
    monkeypatch.setenv(RESTARTS, "1")
    heard = asyncio.Event()
    ended(Fatal("a"))
    may_start_again()
    told_to_stop(number)
    on_stop(heard.set)
    await asyncio.wait_for(heard.wait(), 5)
