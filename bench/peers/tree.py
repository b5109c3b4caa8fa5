"""A contender's process and all that it starts: CPU, memory, standing still and ending, by id."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from bench.processes import ROOT, MeasureError
from stream_app.kafka.embedded.process import launch

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


class Tree:
    """A command that runs for the block, with its descendants; it dies with this process."""

    def __init__(self, command: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        self.log = log
        self._command = list(command)
        self._env = {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"} | dict(env)
        self._peak = 0
        self._done = threading.Event()

    def __enter__(self) -> Self:
        self._child = launch(self._command, self.log, self._env, bound=True)
        self._watch = threading.Thread(target=self._sample, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._watch.join()
        everyone = self.pids()
        self._signal(everyone, signal.SIGCONT)
        self._signal(everyone[:1], signal.SIGTERM)
        with contextlib.suppress(Exception):
            self._child.popen.wait(20)
        self._signal([pid for pid in everyone if _parent(pid)], signal.SIGKILL)
        self._child.reap(20)

    def check(self) -> None:
        """Raise MeasureError when it has ended."""
        if self._child.exit_code is not None:
            raise MeasureError(f"{self._command} ended ({self._child.exit_code})\n{self.tail()}")

    def pids(self) -> list[int]:
        """Its id and those of its descendants, itself first."""
        children: dict[int, list[int]] = {}
        for entry in _PROC.iterdir():
            if entry.name.isdigit() and (parent := _parent(int(entry.name))):
                children.setdefault(parent, []).append(int(entry.name))
        found = [self._child.pid] if _parent(self._child.pid) else []
        for pid in found:
            found += children.get(pid, [])
        return found

    def freeze(self) -> None:
        """SIGSTOP to all of them: they stand still, connections stay."""
        self._signal(self.pids(), signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT to all of them."""
        self._signal(self.pids(), signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to all of them at once; returns when they are gone."""
        everyone = self.pids()
        self._signal(everyone, signal.SIGSTOP)
        everyone = self.pids()
        self._signal(everyone, signal.SIGKILL)
        self._child.popen.wait(20)

    @staticmethod
    def _signal(pids: Sequence[int], number: int) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def cpu_seconds(self) -> float:
        """User and system time so far of all of them, and of their children that have ended."""
        total = 0.0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                total += cpu_seconds(pid)
        return total

    def memory_bytes(self) -> int:
        """Proportional memory of all of them: what several share counts once."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError, StopIteration):
                lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
                total += 1024 * int(next(x for x in lines if x.startswith("Pss:")).split()[1])
        return total

    @property
    def peak_bytes(self) -> int:
        """The most memory that was seen, looking once a second."""
        return self._peak

    def _sample(self) -> None:
        while not self._done.wait(1.0):
            self._peak = max(self._peak, self.memory_bytes())

    def tail(self, lines: int = 30) -> str:
        """The last lines of its output."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def cpu_seconds(pid: int) -> float:
    """User and system time so far of a process, and of its children that have ended."""
    return sum(map(int, _stat(pid)[11:15])) / _TICKS


def _stat(pid: int) -> list[str]:
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _parent(pid: int) -> int:
    """0 when there is no such process, or only its remains."""
    try:
        state, parent, *_ = _stat(pid)
    except OSError:
        return 0
    return 0 if state in "ZX" else int(parent)
