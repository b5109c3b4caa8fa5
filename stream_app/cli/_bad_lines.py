"""Lines that were refused: shown to people, and kept in a file where one is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, Final

import click

from stream_app.data.checks import BadLine

SHOWN_BAD_LINES: Final = 20


@dataclass(slots=True)
class BadLines:
    """Reports bad lines, the first ones on standard error, all of them in `letters`."""

    letters: IO[bytes] | None
    strict: bool
    count: int = field(default=0, init=False)

    def report(self, lines: list[BadLine]) -> None:
        """Count, show and write them."""
        for line in lines:
            self.count += 1
            if self.count <= SHOWN_BAD_LINES:
                click.echo(str(line), err=True)
            elif self.count == SHOWN_BAD_LINES + 1:
                click.echo("… further bad lines are only counted", err=True)
            if self.letters is not None:
                self.letters.write(line.dead_letter() + b"\n")
