"""Whether this worker makes progress and may be relied on. Time is an argument."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Condition:
    """One thing that must hold, whether it does, and what an operator should know about it."""

    name: str
    holds: bool
    detail: str


@dataclass
class Health:
    """What the worker tells about itself; `/livez` and `/readyz` are read from here.

    All times are milliseconds by a clock that only rises: a wall clock may be set meanwhile.
    `stall_ms` is how long waiting work may stand still.
    """

    stall_ms: int
    _connected: bool = False
    _assigned: frozenset[int] | None = None
    _restored: set[int] = field(default_factory=set)
    _pending: dict[int, int] = field(default_factory=dict)
    _moved: int = 0

    def connected(self, yes: bool) -> None:
        """Tells whether the brokers can be reached."""
        self._connected = yes

    def assigned(self, partitions: Iterable[int], now: int) -> None:
        """Tells the partitions of a new assignment; those that stay keep what they restored."""
        self._assigned = frozenset(partitions)
        self._restored &= self._assigned
        self._pending = {p: n for p, n in self._pending.items() if p in self._assigned}
        self._moved = now

    def revoked(self, partitions: Iterable[int]) -> None:
        """Tells the partitions that were taken away; until the next assignment it is not ready."""
        gone = frozenset(partitions)
        self._assigned = None
        self._restored -= gone
        self._pending = {p: n for p, n in self._pending.items() if p not in gone}

    def restored(self, partition: int, now: int) -> None:
        """Tells that all profiles of a partition are in memory."""
        if partition not in self._restored:
            self._restored.add(partition)
            self._moved = now

    def queued(self, partition: int, records: int, now: int) -> None:
        """Tells how many records wait; the clock of a stall starts when work appears."""
        if not self._busy:
            self._moved = now
        self._pending[partition] = records

    def progress(self, now: int) -> None:
        """Tells that something was done: a commit, or records read while restoring."""
        self._moved = max(self._moved, now)

    def live(self, now: int) -> Condition:
        """False when work waits and nothing was done for `stall_ms`: a restart is due."""
        waited = now - self._moved
        if not self._busy:
            return Condition("progress", True, "nothing to do")
        return Condition(
            "progress",
            waited < self.stall_ms,
            f"{self._work}; last progress {waited / 1000:.1f} s ago",
        )

    def ready(self) -> list[Condition]:
        """Connected, assigned and restored; a worker without partitions is a ready spare."""
        return [
            Condition(
                "connected",
                self._connected,
                "brokers answer" if self._connected else "brokers do not answer",
            ),
            Condition("assigned", self._assigned is not None, self._assignment),
            Condition(
                "restored", self._assigned is not None and not self._restoring, self._restoration
            ),
        ]

    @property
    def _restoring(self) -> frozenset[int]:
        return (self._assigned or frozenset()) - self._restored

    @property
    def _busy(self) -> bool:
        return bool(self._restoring) or any(self._pending.values())

    @property
    def _work(self) -> str:
        return (
            f"{sum(self._pending.values())} records wait, {len(self._restoring)} partitions restore"
        )

    @property
    def _assignment(self) -> str:
        if self._assigned is None:
            return "waiting for partitions"
        return f"partitions {_numbers(self._assigned)}"

    @property
    def _restoration(self) -> str:
        if self._assigned is None:
            return "waiting for partitions"
        return (
            f"partitions {_numbers(self._restoring)} restore" if self._restoring else "all restored"
        )


def _numbers(partitions: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(partitions))) or "none"
