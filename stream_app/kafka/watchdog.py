"""A thread that ends the process when its event loop or its work stands still."""

from __future__ import annotations

import threading
from collections.abc import Callable

from stream_app.health import Health
from stream_app.kafka.errors import Fatal


class Watchdog:
    """Looks once a second; `beat` is called from the loop it watches.

    Consumers can die without a word, and an await can outlive its deadline; neither shows in an
    exception, both show in work that waits.
    """

    def __init__(
        self,
        health: Health,
        stall_s: float,
        now_ms: Callable[[], int],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._health = health
        self._stall_ms = int(stall_s * 1000)
        self._now_ms = now_ms
        self._fail = fail
        self._beat = now_ms()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()

    def beat(self) -> None:
        """Say that the event loop runs."""
        self._beat = self._now_ms()

    def check(self, now_ms: int) -> None:
        """Fail the process if the loop has not run, or work has waited, for the stall time."""
        if now_ms - self._beat > self._stall_ms:
            seconds = (now_ms - self._beat) / 1000
            self._fail(Fatal(f"the event loop has not run for {seconds:.0f} s"))
            return
        progress = self._health.live(now_ms)
        if not progress.holds:
            self._fail(Fatal(f"no progress: {progress.detail}"))

    def _watch(self) -> None:
        while not self._stopped.wait(1.0):
            self.check(self._now_ms())
