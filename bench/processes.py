"""Processes under measurement: started, looked at, and ended by their own id."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from stream_app.kafka.embedded.process import launch

ROOT = Path(__file__).parents[1]
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class MeasureError(Exception):
    """A measurement that cannot be trusted or did not end; says what happened."""


class Process:
    """A command that runs for the block; its output is in `log`. It also dies with this process."""

    def __init__(self, command: Sequence[str], log: Path, env: Mapping[str, str]) -> None:
        self.log = log
        self._command = command
        self._env = {"PYTHONPATH": str(ROOT)} | dict(env)

    def __enter__(self) -> Self:
        self._child = launch([sys.executable, *self._command], self.log, self._env, bound=True)
        self.pid = self._child.pid
        self.started = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        return self._child.exit_code is None

    def stop(self, seconds: float = 30.0) -> None:
        """SIGTERM and a bounded wait, then SIGKILL."""
        self.thaw()
        self._signal(signal.SIGTERM)
        try:
            self._child.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._child.reap(10)

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self._signal(signal.SIGKILL)
        self._child.popen.wait(10)

    def freeze(self) -> None:
        """SIGSTOP: it stands still until `thaw`, its connections stay."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def cpu_seconds(self) -> float:
        """User and system time so far, of all threads."""
        if _PROC.exists():
            fields = (_PROC / str(self.pid) / "stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / _TICKS
        return _seconds(_ps(self.pid, "time"))

    def resident_bytes(self) -> int:
        """Resident memory now."""
        if _PROC.exists():
            return int((_PROC / str(self.pid) / "statm").read_text().split()[1]) * _PAGE
        return int(_ps(self.pid, "rss")) * 1024

    def tail(self, lines: int = 30) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    async def wait_end(self, seconds: float) -> None:
        """Return when it has ended by itself; raises MeasureError when it takes longer or fails."""
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > deadline:
                raise MeasureError(f"{self._command} did not end in {seconds:.0f} s\n{self.tail()}")
            await asyncio.sleep(0.1)
        if self._child.exit_code:
            raise MeasureError(f"{self._command} failed ({self._child.exit_code})\n{self.tail()}")


_PROC = Path("/proc") if Path("/proc/self/stat").exists() else Path("/nowhere")


def _ps(pid: int, column: str) -> str:
    command = ["ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _seconds(shown: str) -> float:
    """`[[D-]HH:]MM:SS[.cc]` as ps shows it."""
    days, _, clock = shown.rpartition("-")
    total = 0.0
    for part in clock.split(":"):
        total = total * 60 + float(part)
    return total + int(days or 0) * 86_400
