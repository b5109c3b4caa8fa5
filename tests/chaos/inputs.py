"""What the input topics say has to come of them, worked out without a line of the program."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from chaos.changelog import Input, Positions
from chaos.records import Record, Topic

NAMES = ("clicks", "purchases")
ROUTED = "routed"
#: Where a record of an input lies: topic, partition, offset.
Place = tuple[str, int, int]

#: By input: the types of its events.
TYPES = (
    {
        "page_view", "view_item", "search", "add_to_cart", "remove_from_cart", "add_to_wishlist",
        "begin_checkout", "view_promotion", "select_promotion", "share", "login", "sign_up",
    },
    {"purchase", "refund"},
)  # fmt: skip
LARGEST = 65_536
CURRENCY = "USD"


def event(topic: int, value: bytes | None) -> dict[str, Any] | None:
    """The event of a record of input `topic` (0: clicks, 1: purchases); None: to be refused."""
    if not value or len(value) > LARGEST:
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("type") not in TYPES[topic]:
        return None
    if not all(found.get(name) for name in ("event_id", "user_id", "occurred_at")):
        return None
    if topic == 1 and not isinstance(found.get("value"), int | float):
        return None
    return found if found.get("currency", CURRENCY) == CURRENCY else None


@dataclass
class Log:
    """Events that count of one input, by rising offset; and the cents spent up to each."""

    offsets: list[int] = field(default_factory=list)
    cents: list[int] = field(default_factory=lambda: [0])

    def add(self, offset: int, cents: int) -> None:
        """Add one more."""
        self.offsets.append(offset)
        self.cents.append(self.cents[-1] + cents)

    def between(self, first: int, end: int) -> tuple[int, int]:
        """Events and cents from offset `first` to `end`."""
        low, high = bisect_left(self.offsets, first), bisect_left(self.offsets, end)
        return high - low, self.cents[high] - self.cents[low]


@dataclass
class Counts:
    """What counts for a user, or for all, by the input in which his task meets it."""

    logs: defaultdict[Input, Log] = field(default_factory=lambda: defaultdict(Log))

    def upto(self, following: Mapping[Input, int], since: Mapping[Input, int]) -> tuple[int, int]:
        """Events and cents of the inputs of `following`, below these offsets, from `since` on."""
        events = cents = 0
        for where in self.logs.keys() & following.keys():
            more = self.logs[where].between(since.get(where, 0), following[where])
            events, cents = events + more[0], cents + more[1]
        return events, cents

    @property
    def total(self) -> tuple[int, int]:
        """All of it."""
        logs = self.logs.values()
        return sum(len(log.offsets) for log in logs), sum(log.cents[-1] for log in logs)


@dataclass
class Inputs:
    """What all inputs hold."""

    users: defaultdict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    everyone: Counts = field(default_factory=Counts)
    refused: list[Record] = field(default_factory=list)
    ends: Positions = field(default_factory=dict)
    #: By where an accepted event lies (topic by its role), repeats included: whose it is.
    accepted: dict[Place, str] = field(default_factory=dict)
    repeated: int = 0
    #: By input in which their tasks meet them: time (ms) of the latest event.
    latest: defaultdict[Input, int] = field(default_factory=lambda: defaultdict(int))
    #: What is wrong with routed records, and how many there are.
    astray: list[str] = field(default_factory=list)
    routed: int = 0


class Arrival(NamedTuple):
    """An accepted event, and where the task that has its user's profile meets it."""

    epoch: int
    where: Input
    offset: int
    topic: int
    event: dict[str, Any]


def place_of(record: Record) -> Place:
    return record.topic, record.partition, record.offset


def expected(topics: Mapping[str, Topic], cuts: Mapping[int, Positions]) -> Inputs:
    """What has to be counted and refused; an id counts once for a user and input.

    An event that was routed is met in the internal topic, any other one where it lies. `cuts` are
    where reading stood when the number of partitions was changed.
    """
    inputs, routed = Inputs(), {}
    if ROUTED in topics:
        routed = _routed(topics, inputs)
    arrivals = sorted(_arrivals(topics, inputs, routed, cuts), key=lambda one: one[:3])
    known: set[tuple[str, int, str]] = set()
    for one in arrivals:
        identity = one.event["user_id"], one.topic, one.event["event_id"]
        if identity in known:
            inputs.repeated += 1
        else:
            known.add(identity)
            _count(inputs, one)
    return inputs


def _routed(topics: Mapping[str, Topic], inputs: Inputs) -> dict[Place, tuple[Input, int]]:
    """Where each routed event is met, by where it lies; what is wrong with routed records."""
    found: dict[Place, tuple[Input, int]] = {}
    for records in topics[ROUTED].parts:
        for record in records:
            inputs.routed += 1
            where = ROUTED, record.partition
            inputs.ends[where] = record.offset + 1
            place, problem = _source(record, topics)
            if problem:
                inputs.astray.append(f"{record}: {problem}")
            elif place in found:
                inputs.astray.append(f"{record}: {place} was routed before")
            else:
                found[place] = where, record.offset
    return found


def _source(record: Record, topics: Mapping[str, Topic]) -> tuple[Place, str]:
    """Where a routed record comes from; and what is wrong with it, if anything is."""
    headers = record.headers
    name, partition = headers["input"].decode(), int(headers["partition"])
    place = headers["topic"].decode(), partition, int(headers["offset"])
    # Nothing is ever deleted here, and what is aborted takes an offset as well.
    log = topics[name].parts[partition]
    at = bisect_left(log, place[2], key=lambda one: one.offset)
    if at == len(log) or place_of(log[at]) != place:
        return place, f"there is nothing at {place}"
    found = event(NAMES.index(name), log[at].value)
    if found is None:
        return place, f"{place} was to be refused"
    same = record.value == log[at].value and record.key == found["user_id"].encode()
    return place, "" if same else f"is not what lies at {place}"


def _arrivals(
    topics: Mapping[str, Topic],
    inputs: Inputs,
    routed: Mapping[Place, tuple[Input, int]],
    cuts: Mapping[int, Positions],
) -> Iterator[Arrival]:
    for topic, name in enumerate(NAMES):
        for record in (record for records in topics[name].parts for record in records):
            here, place = (name, record.partition), place_of(record)
            inputs.ends[here] = record.offset + 1
            found = event(topic, record.value)
            if found is None:
                inputs.refused.append(record)
                continue
            inputs.accepted[(*here, record.offset)] = found["user_id"]
            where, offset = routed.get(place, (here, record.offset))
            epoch = sum(offset >= cut.get(where, 0) for cut in cuts.values())
            yield Arrival(epoch, where, offset, topic, found)


def _count(inputs: Inputs, one: Arrival) -> None:
    found, cents = one.event, 0
    if found["type"] == "purchase":
        cents = int(Decimal(str(found["value"])) * 100)
    inputs.latest[one.where] = max(inputs.latest[one.where], found["occurred_at"])
    inputs.users[found["user_id"]].logs[one.where].add(one.offset, cents)
    inputs.everyone.logs[one.where].add(one.offset, cents)
