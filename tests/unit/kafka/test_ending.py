"""How a worker ends: exit codes, messages, and whether it starts again."""

from __future__ import annotations

import os
import sys

import pytest

from stream_app.kafka import ending
from stream_app.kafka.ending import RESTARTS, end_process, stay_ended, wait_before_start
from stream_app.kafka.errors import Fatal, Refusal


class Left(BaseException):
    """In place of the end of this process."""


@pytest.fixture(autouse=True)
def left(monkeypatch):
    def leave(*how: object) -> None:
        raise Left(*how)

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(os, "execv", leave)
    monkeypatch.delenv(RESTARTS, raising=False)


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


def test_waits_double_up_to_half_a_minute_and_start_small_after_a_good_while(monkeypatch):
    waits = []
    for tries in range(12):
        monkeypatch.setenv(RESTARTS, str(tries))
        waits.append(wait_before_start())
    assert waits[:5] == [0, 0.5, 1, 2, 4]
    assert waits[-1] == 30
    monkeypatch.setattr(ending, "_started", ending.time.monotonic() - 301)
    ended(Fatal("a"))
    assert os.environ[RESTARTS] == "1"


def test_without_restarts_there_is_no_wait():
    assert wait_before_start() == 0
