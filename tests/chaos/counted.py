"""Whether every accepted event is counted once: in each row of each transaction of the changelog.

Whoever was idle for too long has to be forgotten, and nobody else may be; what comes of him later
counts anew. What was looked at is in `Seen`, for the verdict and for the checks that follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chaos.changelog import Input, Positions, Row, Transaction, cuts, transactions
from chaos.inputs import Event, Inputs
from chaos.lives import Life, Outcome, Retention, by_log, new_to, outcomes
from chaos.records import Parts
from chaos.seen import Seen, Span

#: Events of a user that a transaction folds, by input and topic.
Came = dict[tuple[Input, int], list[Event]]


def check_features(
    inputs: Inputs, changelog: Parts, seen: Seen, retention: Retention
) -> Iterator[str]:
    """Every accepted event counts once, in one life of its user."""
    begun = cuts(changelog)
    readings = [_Reading(n, inputs, begun, seen, retention) for n in range(len(changelog))]
    logs = [list(transactions(records)) for records in changelog]
    for epoch in sorted(begun):
        # Who moves has been somewhere until then.
        for moving in (False, True):
            there = {user: life for one in readings for user, life in one.lives.items()}
            for reading, log in zip(readings, logs, strict=True):
                for done in (one for one in log if (one.epoch, one.moving) == (epoch, moving)):
                    yield from reading.move(done, there) if moving else reading.check(done)
        for user in there.keys() - {user for one in readings for user in one.lives}:
            yield f"{user} was on a partition before there were more, and is on none"
    for reading in readings:
        yield from reading.close()
    yield from _check_ends(inputs, seen, len(changelog))
    lives = sum(map(len, seen.lives.values()))
    seen.counts["forgotten"] = lives - len(seen.rows)
    seen.counts["came back"] = lives - len(seen.lives)


class _Reading:
    """One partition's transactions, one after the other."""

    def __init__(
        self,
        number: int,
        inputs: Inputs,
        begun: Mapping[int, Positions],
        seen: Seen,
        retention: Retention,
    ) -> None:
        self.lives: dict[str, Life] = {}
        self._number, self._inputs, self._begun = number, inputs, begun
        self._seen, self._retention = seen, retention
        self._rows: dict[str, Row] = {}
        self._following: Positions = {}
        #: How far each input is folded that has been met since the epoch began.
        self._folded: Positions = {}
        self._time = self._epoch = 0
        self._breaks: list[tuple[int, int]] = []

    def check(self, done: Transaction) -> Iterator[str]:
        """Compare a transaction with the inputs below its offsets."""
        self._seen.counts["transactions"] += 1
        if done.epoch != self._epoch:
            self._epoch, self._folded = done.epoch, {}
            self._breaks.append((self._time, done.time))
        before = self._time
        yield from self._check_order(done)
        came = self._came(done)
        for user in dict.fromkeys((*came, *done.rows)):
            yield from self._check_user(user, came.get(user, {}), before, done)

    def move(self, done: Transaction, there: Mapping[str, Life]) -> Iterator[str]:
        """Compare rows that arrive with those that were `there`, wherever; others leave."""
        self._seen.counts["transactions"] += 1
        for user, rows in done.rows.items():
            row = rows[-1]
            self.lives.pop(user, None)
            self._rows.pop(user, None)
            if row.counted is None:
                continue
            life = there.get(user, Life())
            if row.counted != life.counted or row.born != self._born(user):
                yield (
                    f"{row.at}: {user} arrives with (events, cents) {row.counted}, begun at "
                    f"{row.born}, and had {life.counted}, begun at {self._born(user)}"
                )
            self.lives[user], self._rows[user] = life, row

    def _check_order(self, done: Transaction) -> Iterator[str]:
        known = self._following
        if any(offset < known.get(where, 0) for where, offset in done.following.items()):
            yield f"{done.at}: next offsets fell from {known} to {done.following}"
        if done.time < self._time:
            yield f"{done.at}: partition time fell from {self._time} to {done.time}"
        self._following, self._time = known | done.following, done.time

    def _came(self, done: Transaction) -> dict[str, Came]:
        """The events between the offsets before and those of a transaction, by user."""
        found: dict[str, Came] = {}
        for where, end in done.following.items():
            first = self._folded.get(where, self._begun.get(self._epoch, {}).get(where, 0))
            for event in self._inputs.between(where, first, end):
                came = found.setdefault(event.user, {})
                came.setdefault((where, event.topic), []).append(event)
            self._folded[where] = max(first, end)
        return found

    def _check_user(self, user: str, came: Came, before: int, done: Transaction) -> Iterator[str]:
        """Compare what a user's rows say with his events; partition time was `before`."""
        life, rows = self.lives.get(user, Life()), done.rows.get(user, [])
        logs = new_to(life, by_log(came))
        new, all_of_them = sum(map(len, logs)), sum(map(len, came.values()))
        self._seen.counts.update(rows=len(rows), events=new, repeated=all_of_them - new)
        # Somewhere between the time before and the time after.
        may_be = [
            one for now in {before, done.time} for one in outcomes(life, logs, self._retention, now)
        ]
        self._seen.counts["undecided"] += len({(over, one.counted) for over, one in may_be}) > 1
        born = self._born(user)
        for row in rows:
            yield from self._note(row)
        if not rows:
            if new:
                yield f"{done.at}: {new} events came of {user}, and no row says so"
                self.lives[user] = may_be[0][1]
        elif rows[-1].counted is None:
            yield from self._check_gone(user, rows[-1], may_be, done.time)
        else:
            yield from self._check_row(rows[-1], born, may_be, done)

    def _note(self, row: Row) -> Iterator[str]:
        """Take note of the life that a row is of."""
        if row.counted is None:
            return
        born, lives = self._born(row.user), self._seen.lives[row.user]
        if row.born < born:
            yield f"{row.at}: {row.user} began at {born}, and again at {row.born}"
        if row.born == born:
            lives.pop()
        lives.append(Span(row.born, row.version))

    def _check_gone(self, user: str, row: Row, may_be: list[Outcome], now: int) -> Iterator[str]:
        lasts = [life.last for _, life in may_be]
        if not any(last and self._retention.over(last, now) for last in lasts):
            yield f"{row.at}: {user} was forgotten at {now}, and had been seen at {lasts}"
        self.lives.pop(user, None)
        self._rows.pop(user, None)

    def _check_row(
        self, row: Row, born: int, may_be: list[Outcome], done: Transaction
    ) -> Iterator[str]:
        """Compare a user's last row; his life before began at `born`."""
        there = row.user in self._rows
        ended = there and row.born != born
        right = [
            life
            for over, life in may_be
            if life.counted == row.counted and (over == ended or not there)
        ]
        if not right or not may_be[0][1].events:
            said = " or ".join(dict.fromkeys(_told(over, life.counted) for over, life in may_be))
            yield (
                f"{row.at}: {row.user} {_told(ended, row.counted)} where the inputs below "
                f"{done.following} say that he {said}"
            )
        if not there and row.born == born:
            yield f"{row.at}: {row.user}, who was forgotten, goes on as of {born}"
        life = (right or [may_be[0][1]])[0]
        if row.born > max(life.last, done.time - self._retention.idle_ms):
            yield f"{row.at}: {row.user} began at {row.born}, and was seen at {life.last}"
        life.last = max(life.last, row.born)
        self.lives[row.user], self._rows[row.user] = life, row

    def _born(self, user: str) -> int:
        """When the user's latest life began; 0 for who had none."""
        lives = self._seen.lives.get(user)
        return lives[-1].born if lives else 0

    def close(self) -> Iterator[str]:
        """Say who is on another partition too, or still there, and leave what later checks need."""
        seen = self._seen
        for user, row in self._rows.items():
            if user in seen.rows:
                yield f"{user} is on partitions {seen.rows[user][0]} and {self._number}"
            seen.rows[user] = self._number, row
        for user, life in self.lives.items():
            if self._retention.over(life.last, self._time):
                yield f"{user} is there at {self._time}, and was last seen at {life.last}"
        seen.following.append(self._following)
        seen.times.append(self._time)
        seen.breaks.append(self._breaks)


def _told(anew: bool, counted: tuple[int, int] | None) -> str:
    return f"{'begins anew with' if anew else 'has'} (events, cents) {counted}"


def _check_ends(inputs: Inputs, seen: Seen, partitions: int) -> Iterator[str]:
    """At rest, all inputs are folded up to their ends, each by its task."""
    for where, end in inputs.ends.items():
        following = seen.following[where[1] % partitions] if seen.following else {}
        if following.get(where, 0) != end:
            yield f"{where}: folded up to {following.get(where, 0)}, and it ends at {end}"
