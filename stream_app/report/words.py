"""Numbers and days as reports write them."""

from __future__ import annotations

from datetime import UTC, datetime


def date(at: int) -> str:
    """The UTC day of a moment (ms).

    >>> date(1_760_000_000_000)
    '2025-10-09'
    """
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d}"


def number(value: float | None, digits: int = 3) -> str:
    """A figure with so many decimals, `-` where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"
