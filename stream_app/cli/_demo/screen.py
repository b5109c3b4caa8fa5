"""What the demo prints: lines for everybody, and a moving status line where a person watches."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from stream_app.cli._demo.words import label

#: Without a terminal, a status is a line now and then.
_STATUS_SECONDS: Final = 10.0
_DOWNLOAD_SECONDS: Final = 4.0


class Screen:
    """Prints to `console`; `console.is_terminal` decides between a status line and plain lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._said = 0.0

    def print(self, shown: RenderableType = "") -> None:
        """Lines that stay. A line too long for a terminal is folded; in a file it stays whole."""
        self._console.print(shown, soft_wrap=not self._console.is_terminal, markup=False)

    def copyable(self, line: str) -> None:
        """A line that stays one line when it is copied."""
        self._console.print(line, soft_wrap=True, markup=False)

    def row(self, first: Text, second: Text) -> None:
        """Two columns: where a person watches, the second is folded within its own."""
        if not self._console.is_terminal:
            self.print(first + second)
            return
        grid = Table.grid()
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(first, second)
        self._console.print(grid)

    @contextlib.contextmanager
    def stage(self, name: str, doing: str) -> Iterator[Stage]:
        """Something that takes a while; what it comes to is printed in its end."""
        stage = Stage(self, name)
        with self._status():
            stage.say(doing)
            yield stage
        self.row(*label(name, stage.result))

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Inside, `status` shows how far the replay is."""
        with self._status():
            yield

    def working(self, name: str, text: str) -> None:
        """What is going on in a stage."""
        if self._live is not None:
            self._live.update(_spinning(name, text))
        elif not text.startswith("downloading") or self._due(_DOWNLOAD_SECONDS):
            self.row(*label(name, text))

    def status(self, share: float, text: str) -> None:
        """How far the replay is, from 0 to 1, and some numbers."""
        if self._live is not None:
            self._live.update(_progress(share, text))
        elif self._due(_STATUS_SECONDS):
            self.print(f"... {text}")

    def _due(self, seconds: float) -> bool:
        now = time.monotonic()
        due = now - self._said >= seconds
        if due:
            self._said = now
        return due

    @contextlib.contextmanager
    def _status(self) -> Iterator[None]:
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=8, transient=True) as self._live:
            try:
                yield
            finally:
                self._live = None


class Stage:
    """One stage of the demo: `say` what goes on, set `result` to what came of it."""

    def __init__(self, screen: Screen, name: str) -> None:
        self._screen = screen
        self._name = name
        self.result = ""

    def say(self, text: str) -> None:
        self._screen.working(self._name, text)


def _spinning(name: str, text: str) -> RenderableType:
    grid = Table.grid()
    grid.add_row(*label(name, f"{text} "), Spinner("dots"))
    return grid


def _progress(share: float, text: str) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(ProgressBar(total=1.0, completed=share, width=24), text)
    return grid
