"""The demo's worker and trainer: commands as processes, watched by their HTTP ports."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from stream_app.cli._demo.errors import DemoError
from stream_app.kafka.embedded.probe import free_port
from stream_app.kafka.embedded.process import Child, launch

READY_SECONDS: Final = 90.0
_TAIL: Final = 15
_SAMPLE: Final = re.compile(r"^stream_app_(\w+?)(?:_total)?(?:\{.*\})? (\S+)$", re.MULTILINE)


class DemoProcess:
    """`stream-app COMMAND`, started at once with the settings `env` (STREAM_APP_*).

    Its output goes to `log`. With `bound` it dies with this process, however that ends.
    """

    def __init__(self, command: str, env: Mapping[str, str], log: Path, *, bound: bool) -> None:
        self.command = command
        self.log = log
        self.port = free_port()
        log.unlink(missing_ok=True)
        self._child: Child = launch(
            [sys.executable, "-m", "stream_app", command, "--no-restart"],
            log,
            {**env, "STREAM_APP_HTTP_PORT": str(self.port)},
            bound=bound,
        )
        self.pid = self._child.pid

    def wait_ready(self) -> None:
        """Return when it is at work; DemoError when it ends or takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._get("/readyz"):
            self.check()
            if time.monotonic() > deadline:
                problem = f"the {self.command} was not ready after {READY_SECONDS:.0f} s"
                raise DemoError(problem, self.tail)
            time.sleep(0.1)

    def check(self) -> None:
        """DemoError if it has ended."""
        code = self._child.exit_code
        if code is not None:
            raise DemoError(
                f"the {self.command} ended (exit code {code}): the lines above are the end of "
                f"{self.log}, docs/operations.md says what they mean",
                self.tail,
            )

    def totals(self) -> dict[str, float]:
        """Its metrics, each summed over its labels, without prefix; empty when it is busy."""
        totals: dict[str, float] = {}
        for name, value in _SAMPLE.findall(self._get("/metrics")):
            totals[name] = totals.get(name, 0.0) + float(value)
        return totals

    @property
    def tail(self) -> list[str]:
        """The last lines that it logged."""
        try:
            return self.log.read_text(errors="replace").splitlines()[-_TAIL:]
        except OSError:
            return []

    def stop(self, seconds: float) -> None:
        """SIGTERM (also to a frozen one), a bounded wait, then SIGKILL; to its own pid only."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        try:
            self._child.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
        self._child.reap(seconds)

    def _signal(self, number: int) -> None:
        # Whoever waits for it is still there, so its pid has not been given away again.
        if self._child.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as got:
                return str(got.read().decode())
        except (urllib.error.URLError, OSError):
            return ""
