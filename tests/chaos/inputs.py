"""What the input topics say has to come of them, worked out without a line of the program."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
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


class Event(NamedTuple):
    """An accepted event where the task that has its user's profile meets it; repeats are others.

    `topic` is the index of its input, `at` its time (ms), `cents` what was spent.
    """

    offset: int
    topic: int
    user: str
    id: str
    at: int
    cents: int

    @property
    def identity(self) -> tuple[int, str]:
        """What a repeat has too."""
        return self.topic, self.id


@dataclass
class Inputs:
    """What all inputs hold."""

    #: By input in which their tasks meet them: accepted events by rising offset.
    logs: defaultdict[Input, list[Event]] = field(default_factory=lambda: defaultdict(list))
    refused: list[Record] = field(default_factory=list)
    ends: Positions = field(default_factory=dict)
    #: By where an accepted event lies (topic by its role), repeats included: whose it is.
    accepted: dict[Place, str] = field(default_factory=dict)
    #: What is wrong with routed records, and how many there are.
    astray: list[str] = field(default_factory=list)
    routed: int = 0

    def between(self, where: Input, first: int, end: int) -> list[Event]:
        """Events of an input from offset `first` to `end`."""
        log = self.logs[where]
        return log[bisect_left(log, (first,)) : bisect_left(log, (end,))]

    def latest(self, where: Input) -> int:
        """Time (ms) of the latest event of an input."""
        return max((event.at for event in self.logs[where]), default=0)


def place_of(record: Record) -> Place:
    return record.topic, record.partition, record.offset


def expected(topics: Mapping[str, Topic]) -> Inputs:
    """What has to be counted and refused.

    An event that was routed is met in the internal topic, any other one where it lies.
    """
    inputs, routed = Inputs(), {}
    if ROUTED in topics:
        routed = _routed(topics, inputs)
    for topic, name in enumerate(NAMES):
        for record in (record for records in topics[name].parts for record in records):
            _take(record, topic, inputs, routed)
    for log in inputs.logs.values():
        log.sort()
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


def _take(
    record: Record, topic: int, inputs: Inputs, routed: Mapping[Place, tuple[Input, int]]
) -> None:
    here, found = (NAMES[topic], record.partition), event(topic, record.value)
    inputs.ends[here] = record.offset + 1
    if found is None:
        inputs.refused.append(record)
        return
    user, cents = found["user_id"], 0
    if found["type"] == "purchase":
        cents = int(Decimal(str(found["value"])) * 100)
    inputs.accepted[(*here, record.offset)] = user
    where, offset = routed.get(place_of(record), (here, record.offset))
    met = Event(offset, topic, user, found["event_id"], found["occurred_at"], cents)
    inputs.logs[where].append(met)
