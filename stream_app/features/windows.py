"""Windows that move by whole panes of event time (UTC)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from stream_app.domain.source import Node

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
#: Pane widths by number. The last is one endless pane: a window over all time is a ring of one.
PANE_NAMES: Final = ("hour", "day", "day3", "all")
#: Panes are counted from 1970-01-01: pane n is what lies in [n * width, (n + 1) * width).
PANE_MS: Final = (HOUR_MS, DAY_MS, 3 * DAY_MS, 1 << 62)
HOUR, DAY, DAY3, ALL = range(4)
#: A row's clock of a pane width before its first event.
NO_PANE: Final = -(1 << 31)

_WINDOW: Final = re.compile(r"([1-9][0-9]{0,3})([hd])(/3d)?")
_MOST_DAYS: Final = 31
_EXPECTED: Final = "1h to 48h, 1d to 31d, a multiple of 3d up to 90d, 3d/3d to 90d/3d, or all"


@dataclass(frozen=True, slots=True)
class Window:
    """The current pane and the `panes - 1` before it."""

    pane: int
    panes: int

    @property
    def pane_ms(self) -> int:
        """Width of a pane."""
        return PANE_MS[self.pane]

    @property
    def length_ms(self) -> int:
        """What the window covers at the last moment of a pane; 1 << 62 for all time."""
        return self.panes * self.pane_ms

    @property
    def text(self) -> str:
        """The window as it is declared; `42d` for `42d/3d`, which is the same."""
        if self.pane == ALL:
            return "all"
        if self.pane == HOUR:
            return f"{self.panes}h"
        days = self.length_ms // DAY_MS
        return f"{days}d/3d" if self.pane == DAY3 and days <= _MOST_DAYS else f"{days}d"


def window_of(node: Node) -> Window:
    """The window that a declaration names; DeclarationError for one that no pane width fits."""
    if node.value == "all":
        return Window(ALL, 1)
    match = _WINDOW.fullmatch(node.value) if isinstance(node.value, str) else None
    if match is None:
        raise node.error(f"{node.value!r} is not a window", _EXPECTED)
    number, unit, by_three = int(match[1]), match[2], bool(match[3])
    if unit == "h" and number <= 48 and not by_three:
        return Window(HOUR, number)
    if unit == "d" and number <= _MOST_DAYS and not by_three:
        return Window(DAY, number)
    if unit == "d" and number <= 90 and number % 3 == 0:
        return Window(DAY3, number // 3)
    raise node.error(f"{node.value!r} fits no pane width", _EXPECTED)
