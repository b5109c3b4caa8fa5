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
PANE_MS: Final = (HOUR_MS, DAY_MS, 3 * DAY_MS, 1 << 62)
HOUR, DAY, DAY3, ALL = range(4)
#: A row's clock of a pane width before its first event.
NO_PANE: Final = -(1 << 31)

_WINDOW: Final = re.compile(r"([1-9][0-9]{0,3})([hd])")
_EXPECTED: Final = "1h to 48h, 1d to 31d, a multiple of 3d up to 90d, or all"


@dataclass(frozen=True, slots=True)
class Window:
    """The current pane and the `panes - 1` before it."""

    pane: int
    panes: int

    @property
    def text(self) -> str:
        if self.pane == ALL:
            return "all"
        days = 3 if self.pane == DAY3 else 1
        return f"{self.panes}h" if self.pane == HOUR else f"{self.panes * days}d"


def window_of(node: Node) -> Window:
    """The window that a declaration names; DeclarationError for one that no pane width fits."""
    if node.value == "all":
        return Window(ALL, 1)
    match = _WINDOW.fullmatch(node.value) if isinstance(node.value, str) else None
    if match is None:
        raise node.error(f"{node.value!r} is not a window", _EXPECTED)
    number, unit = int(match[1]), match[2]
    if unit == "h" and number <= 48:
        return Window(HOUR, number)
    if unit == "d" and number <= 31:
        return Window(DAY, number)
    if unit == "d" and number <= 90 and number % 3 == 0:
        return Window(DAY3, number // 3)
    raise node.error(f"{node.value!r} fits no pane width", _EXPECTED)
