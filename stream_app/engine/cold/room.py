"""How many rows the partitions of a process may keep in memory."""

from __future__ import annotations


class Room:
    """`rows` of a process, shared equally by the partitions that are open."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.partitions = 0

    def enter(self) -> None:
        """A partition was opened."""
        self.partitions += 1

    def leave(self) -> None:
        """A partition was closed."""
        self.partitions -= 1

    @property
    def share(self) -> int:
        """Rows that a partition may keep, at least one."""
        return max(1, self.rows // max(1, self.partitions))
