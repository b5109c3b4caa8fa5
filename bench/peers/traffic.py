"""The seeded input: waves of events with marks and ticks between them, and one long backlog.

Frameworks decide at different moments: some at each event, some at the end of a batch, some when
time passes as well. So that all must come to the same, events come in waves. A wave lies within one
day, so its windows only grow; before it everybody has one event at the same moment (a tick), which
has what has left the windows be seen; and a wave is produced when the one before has been worked
off. Whatever is decided once a condition is true is then decided alike, hysteresis included.
Marks are events of users of their own, one a topic and partition, whose changes tell that all
before them has been worked off. A backlog has them after every slice, to see how far it is done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product

import numpy as np
from numpy.typing import NDArray

from bench import events
from bench.lanes import PARTITIONS
from bench.partitioning import partitions_of
from bench.peers.job import AUDIT
from bench.peers.state import DAY

#: 2026-03-02, where a pane of three days begins.
FIRST_DAY = 20_514
HOUR = 3_600_000
CLICKS, PURCHASES = 0, 1
#: Days of the waves: visits on six days in a row, then pauses that panes leave the windows in.
WAVES = (0, 1, 2, 3, 4, 5, 8, 16, 24, 33, 41)
LAST = 45


@dataclass(frozen=True)
class Record:
    """An event to be produced; `topic` is CLICKS or PURCHASES, `at` the record's time (ms)."""

    topic: int
    key: bytes
    value: bytes
    at: int


@dataclass(frozen=True)
class Phase:
    """Records in order; the changes of the users `marks` tell that all are worked off.

    `weights` says how many events of its topic and partition each mark stands for: those between
    it and the one before.
    """

    records: list[Record]
    weights: Mapping[str, int]

    @property
    def marks(self) -> Collection[str]:
        """The users of all marks."""
        return self.weights.keys()


class Marks:
    """Makes marks; every one is of a new user."""

    def __init__(self) -> None:
        numbers = np.arange(1_000_000)
        keys = [b"mark-%07d" % number for number in numbers.tolist()]
        found = partitions_of(keys, PARTITIONS)
        self._free = {p: iter(numbers[found == p].tolist()) for p in range(PARTITIONS)}

    def phase(self, records: list[Record], slices: int = 1) -> Phase:
        """The records in slices of the same size, each with marks behind it."""
        found: list[Record] = []
        weights: dict[str, int] = {}
        size = -(-len(records) // slices)
        for begin in range(0, len(records), size):
            piece = records[begin : begin + size]
            partitions = partitions_of([record.key for record in piece], PARTITIONS).tolist()
            counts = Counter(zip((r.topic for r in piece), partitions, strict=True))
            at = max(record.at for record in piece)
            found += piece
            for topic, partition in product((CLICKS, PURCHASES), range(PARTITIONS)):
                mark = self._mark(topic, partition, at)
                weights[mark.key.decode()] = counts[topic, partition]
                found.append(mark)
        return Phase(found, weights)

    def _mark(self, topic: int, partition: int, at: int) -> Record:
        user = f"mark-{next(self._free[partition]):07d}"
        more = '"value":10,"currency":"USD"' if topic else '"device":"mobile"'
        kind = "purchase" if topic else "sign_up"
        value = _event(f"m-{user}", kind, user, at, more)
        return Record(topic, user.encode(), value, at)


def _event(event_id: str, kind: str, user: str, at: int, more: str) -> bytes:
    when = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return (
        f'{{"event_id":"{event_id}","type":"{kind}","user_id":"{user}",'
        f'"occurred_at":"{when[:-6]}Z",{more}}}'
    ).encode()


def tick(users: int, at: int) -> list[Record]:
    """One login of every user at the same moment; contenders may publish all features there."""
    return [
        Record(
            CLICKS, key, _event(f"{AUDIT}{at}", "login", key.decode(), at, '"device":"desktop"'), at
        )
        for key in events.user_keys(np.arange(users))
    ]


def wave(day: int, users: int, size: int, rng: np.random.Generator, name: str) -> list[Record]:
    """Events of a day, 10:00 to 18:00: half by Zipf's law, half of anybody."""
    begin = (FIRST_DAY + day) * DAY + 10 * HOUR
    zipf = events.zipf(size, users, rng)
    drawn = np.where(rng.random(size) < 0.5, zipf, rng.integers(0, users, size))
    return made(drawn, events.arrivals(size, begin + 8 * HOUR, 8 * HOUR), name, rng)


def made(
    users: NDArray[np.int64], arrived: NDArray[np.int64], name: str, rng: np.random.Generator
) -> list[Record]:
    """The bench's events of these users as records."""
    return [
        Record(*row)
        for chunk in events.chunks(users, arrived, name, rng)
        for row in zip(
            chunk.topic.tolist(), chunk.key, chunk.value, chunk.arrived.tolist(), strict=True
        )
    ]


def waves(users: int, size: int, seed: int = events.SEED) -> Iterator[Phase]:
    """Every wave as two phases, its tick and its events; then a last tick, of LAST."""
    rng, marks = np.random.default_rng([seed, 60]), Marks()
    for number, day in enumerate(WAVES):
        yield marks.phase(tick(users, (FIRST_DAY + day) * DAY + 9 * HOUR))
        yield marks.phase(wave(day, users, size, rng, f"w{number}"))
    yield marks.phase(tick(users, (FIRST_DAY + LAST) * DAY + 9 * HOUR))


#: Tags whose state in a backlog depends on when it is looked at: hysteresis over windows that move.
BY_MOMENT = frozenset({"window_shopper", "frequent_visitor"})
#: Pieces of a backlog with marks between them.
SLICES = 50
#: Days over which a backlog is spread: nothing leaves a window of 30 days meanwhile.
SPAN = 24


def backlog(users: int, warm: int, size: int, seed: int = events.SEED) -> Iterator[Phase]:
    """Everybody once and `warm` events; then `size` events by Zipf's law; then everybody once."""
    rng, marks = np.random.default_rng([seed, 61]), Marks()
    begin = FIRST_DAY * DAY + 9 * HOUR
    end = begin + SPAN * DAY
    drawn = events.zipf(warm + size, users, rng)
    all_made = made(drawn, np.linspace(begin, end, warm + size).astype(np.int64), "b", rng)
    yield marks.phase(tick(users, begin) + all_made[:warm])
    yield marks.phase(all_made[warm:], SLICES)
    yield marks.phase(tick(users, end + HOUR))
