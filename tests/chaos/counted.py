"""Whether every accepted event is counted once: in each transaction of the changelog, and in all.

What was looked at is in `Seen`, for the verdict and for the checks that follow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.changelog import Positions, Row, Transaction, cuts, transactions
from chaos.inputs import Inputs
from chaos.records import Parts

Tags = dict[str, Any]
#: Events and cents of nobody.
NOTHING = 0, 0


@dataclass
class Seen:
    """What the checks have looked at, for the verdict; and what later checks need of earlier."""

    counts: Counter[str] = field(default_factory=Counter)
    #: Each user's last row, and where it is.
    rows: dict[str, tuple[int, Row]] = field(default_factory=dict)
    #: How far each partition says that it has folded; partition time at the end, and at the end of
    #: each epoch but the last.
    following: list[Positions] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    breaks: list[list[int]] = field(default_factory=list)
    states: dict[str, list[Tags]] = field(default_factory=dict)


def check_features(inputs: Inputs, changelog: Parts, seen: Seen) -> Iterator[str]:
    """Every accepted event counts once: in every row of every transaction, and in their sum."""
    begun = cuts(changelog)
    for number, records in enumerate(changelog):
        reading = _Reading(number, inputs, begun, seen)
        for done in transactions(records):
            yield from reading.check(done)
        yield from reading.close()
    yield from _check_ends(inputs, seen, len(changelog))
    for user, counts in inputs.users.items():
        counted = seen.rows[user][1].counted if user in seen.rows else None
        if counted != counts.total:
            yield f"{user} ends with (events, cents) {counted} instead of {counts.total}"
    seen.counts["repeated"] += inputs.repeated


class _Reading:
    """One partition's transactions, one after the other."""

    def __init__(
        self, number: int, inputs: Inputs, begun: Mapping[int, Positions], seen: Seen
    ) -> None:
        self._number, self._inputs, self._begun, self._seen = number, inputs, begun, seen
        self._rows: dict[str, Row] = {}
        self._following: Positions = {}
        self._time = self._total = 0
        #: The epoch, and events of all users when it began.
        self._epoch = self._had = 0
        self._breaks: list[int] = []

    def check(self, done: Transaction) -> Iterator[str]:
        """Compare a transaction with the inputs below its offsets."""
        self._seen.counts["transactions"] += 1
        if done.epoch != self._epoch:
            # Whoever arrived meanwhile brought his events with him.
            self._epoch, self._had = done.epoch, self._total
            self._breaks.append(self._time)
        yield from self._check_order(done)
        for row in done.rows.values():
            yield from self._check_row(row, done)
        events, _ = self._inputs.everyone.upto(done.following, self._since)
        if not done.moving and self._total != self._had + events:
            yield (
                f"{done.at}: all users of partition {self._number} have {self._total} events "
                f"together where the inputs below {done.following} hold {self._had + events}"
            )

    @property
    def _since(self) -> Positions:
        return self._begun.get(self._epoch, {})

    def _check_order(self, done: Transaction) -> Iterator[str]:
        known = self._following
        if any(offset < known.get(where, 0) for where, offset in done.following.items()):
            yield f"{done.at}: next offsets fell from {known} to {done.following}"
        if done.moving:
            # Of a partition that nobody has had yet, it means nothing.
            return
        if done.time < self._time:
            yield f"{done.at}: partition time fell from {self._time} to {done.time}"
        self._following, self._time = known | done.following, done.time

    def _check_row(self, row: Row, done: Transaction) -> Iterator[str]:
        self._seen.counts["rows"] += 1
        left = self._rows.pop(row.user, None)
        self._total -= (left.counted or NOTHING)[0] if left else 0
        if done.moving and row.counted is None:
            return
        wanted = self._wanted(row.user, done)
        if row.counted != wanted:
            yield (
                f"{row.at}: {row.user} has (events, cents) {row.counted} where the inputs "
                f"below {done.following} say {wanted}"
            )
        self._total += (row.counted or NOTHING)[0]
        self._rows[row.user] = row

    def _wanted(self, user: str, done: Transaction) -> tuple[int, int]:
        if user not in self._inputs.users:
            return NOTHING
        counts = self._inputs.users[user]
        if done.moving and self._epoch + 1 in self._begun:
            # He has been somewhere else: everything that was folded then is his.
            return counts.upto(self._begun[self._epoch + 1], {})
        before = counts.upto(self._since, {})
        after = counts.upto(done.following, self._since)
        return before[0] + after[0], before[1] + after[1]

    def close(self) -> Iterator[str]:
        """Say who is on another partition too, and leave what later checks need."""
        seen = self._seen
        for user, row in self._rows.items():
            if user in seen.rows:
                yield f"{user} is on partitions {seen.rows[user][0]} and {self._number}"
            seen.rows[user] = self._number, row
        seen.following.append(self._following)
        seen.times.append(self._time)
        seen.breaks.append(self._breaks)


def _check_ends(inputs: Inputs, seen: Seen, partitions: int) -> Iterator[str]:
    """At rest, all inputs are folded up to their ends, each by its task."""
    folded: Positions = {}
    for where, end in inputs.ends.items():
        number = where[1] % partitions
        folded[where] = seen.following[number].get(where, 0) if seen.following else 0
        if folded[where] != end:
            yield f"{where}: folded up to {folded[where]}, and it ends at {end}"
    seen.counts["events"] += inputs.everyone.upto(folded, {})[0]
