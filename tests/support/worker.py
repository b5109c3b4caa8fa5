"""Run workers as processes of their own in tests, and end them by their pid."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import stream_app
from stream_app.kafka.embedded.probe import free_port
from stream_app.kafka.embedded.process import Child, launch

ROOT = Path(stream_app.__file__).parents[1]
WORKER = (sys.executable, "-m", "stream_app", "worker")


class Worker:
    """`python -m stream_app worker`, started at once; it also dies with the test run.

    `env` are its settings; the HTTP port is chosen here. Output goes to `log`.
    """

    def __init__(self, log: Path, env: Mapping[str, str], command: Sequence[str] = WORKER) -> None:
        self.log = log
        self.port = free_port()
        self._child: Child = launch(
            command,
            log,
            {"PYTHONPATH": str(ROOT), "STREAM_APP_HTTP_PORT": str(self.port)} | dict(env),
            bound=True,
        )
        self.pid = self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.exit_code is None

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Return when /readyz says yes; fails with the log's tail when it exits or takes longer.

        Blocks: inside a running loop use `await asyncio.to_thread(worker.wait_ready)`.
        """
        deadline = time.monotonic() + seconds
        while self.get("/readyz")[0] != 200:
            if not self.alive:
                raise AssertionError(f"the worker exited ({self.exit_code()}):\n{self.tail()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"the worker was not ready in {seconds} s:\n{self.tail()}")
            time.sleep(0.05)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of its HTTP port; status 0 when nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as got:
                return got.status, got.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str, **labels: str) -> float:
        """Sum of a metric's samples that carry these labels; 0 when there are none."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            head, _, value = line.rpartition(" ")
            if head.partition("{")[0] != name:
                continue
            if all(f'{label}="{wanted}"' in head for label, wanted in labels.items()):
                total += float(value)
        return total

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self._signal(signal.SIGKILL)
        self.exit_code()

    def terminate(self, seconds: float = 30.0) -> int:
        """SIGTERM and its exit code; SIGKILL when it does not end in time."""
        self._signal(signal.SIGTERM)
        return self.exit_code(seconds)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def exit_code(self, seconds: float = 30.0) -> int:
        """Wait for its end, and force it after `seconds`; 128 + n for signal n."""
        try:
            self._child.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
        self._child.reap(30)
        return self._child.popen.returncode

    def text(self) -> str:
        """All that it has said so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.text().splitlines()[-lines:])

    def _signal(self, number: int) -> None:
        # Its supervisor collects it: while that lives, the pid is not given away again.
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
