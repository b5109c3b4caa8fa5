"""A contender is measured and ended with all that it has started."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.peers.tree import Tree, _parent, _stat
from bench.processes import MeasureError

#: A shell with a child.
COMMAND = ["sh", "-c", "sleep 60 & wait"]


def wait(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not met() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert met()


def test_children_count_and_end_with_it(tmp_path: Path) -> None:
    with Tree(COMMAND, tmp_path / "log", {}) as tree:
        wait(lambda: len(tree.pids()) == 2)
        assert tree.memory_bytes() > 0
        assert tree.cpu_seconds() >= 0
        tree.freeze()
        wait(lambda: all(_stat(pid)[0] == "T" for pid in tree.pids()))
        tree.thaw()
        everyone = tree.pids()
    wait(lambda: not any(map(_parent, everyone)))


def test_kill_leaves_nobody_and_is_told(tmp_path: Path) -> None:
    with Tree(COMMAND, tmp_path / "log", {}) as tree:
        wait(lambda: len(tree.pids()) == 2)
        tree.check()
        tree.kill()
        assert tree.pids() == []
        with pytest.raises(MeasureError, match="ended"):
            tree.check()
