"""Numbers between 0 and 1 in declarations."""

from __future__ import annotations

from stream_app.domain.source import Node


def share(node: Node, *, most: float = 1.0) -> float:
    """A number above 0, up to `most`."""
    number = node.number()
    if not 0 < number <= most:
        raise node.error(f"{number:g} is out of range", f"a number above 0, up to {most:g}")
    return number


def below_one(node: Node) -> float:
    """A number from 0 to less than 1."""
    number = node.number()
    if not 0 <= number < 1:
        raise node.error(f"{number:g} is out of range", "a number from 0 to less than 1")
    return number
