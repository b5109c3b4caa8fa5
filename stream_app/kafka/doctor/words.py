"""Numbers and durations as the doctor says them."""

from __future__ import annotations

from collections.abc import Iterable


def numbers(numbers: Iterable[int]) -> str:
    """In order: `0, 3`."""
    return ", ".join(map(str, sorted(numbers)))


def ago(ms: float) -> str:
    """So many milliseconds in the unit that tells most: `3 h`."""
    seconds = max(0.0, ms / 1000)
    for unit, of in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * of:
            return f"{seconds / of:.0f} {unit}"
    return f"{seconds:.1f} s"
