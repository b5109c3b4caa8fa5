"""Processes are found by their pid file and ended only when they are ours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_app.kafka.embedded.config import Layout
from stream_app.kafka.embedded.process import (
    Running,
    end,
    find_running,
    is_ours,
    launch,
    remember,
)

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)", "kafka.Kafka"]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path.resolve())


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEP)
    yield process
    process.kill()
    process.wait()


def test_a_process_of_ours_is_found_and_ended(layout: Layout) -> None:
    child = launch([*SLEEP, str(layout.properties)], layout.output, {}, bound=True)
    running = Running(child.pid, 9092)
    remember(layout, running)
    assert find_running(layout) == running
    end(running, layout)
    child.reap(10)
    assert find_running(layout) is None
    assert not layout.pid_file.exists()


def test_a_pid_that_was_given_to_another_is_not_ours_and_not_ended(
    layout: Layout, stranger: subprocess.Popen[bytes]
) -> None:
    running = Running(stranger.pid, 9092)
    remember(layout, running)
    assert find_running(layout) is None
    end(running, layout)
    assert stranger.poll() is None


def test_a_process_that_ignores_the_request_is_killed(layout: Layout) -> None:
    deaf = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "open(sys.argv[2] + '.deaf', 'w').close(); time.sleep(600)"
    )
    command = [sys.executable, "-S", "-c", deaf, "kafka.Kafka", str(layout.properties)]
    child = launch(command, layout.output, {}, bound=True)
    deaf_file = Path(f"{layout.properties}.deaf")
    while not deaf_file.exists():
        os.sched_yield()
    end(Running(child.pid, 0), layout, grace=0.2)
    assert not is_ours(child.pid, layout)
    child.reap(10)
    assert child.popen.returncode == 128 + 9


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "port": 2, "x": 3}'])
def test_a_damaged_pid_file_means_that_none_runs(layout: Layout, text: str) -> None:
    layout.pid_file.write_text(text)
    assert find_running(layout) is None


def test_the_supervised_ends_when_the_pipe_closes(layout: Layout) -> None:
    child = launch([*SLEEP, str(layout.properties)], layout.output, {}, bound=True)
    assert is_ours(child.pid, layout)
    child.reap(10)
    assert not is_ours(child.pid, layout)
    assert child.popen.returncode == 128 + 15
