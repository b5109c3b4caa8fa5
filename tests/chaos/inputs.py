"""What the input topics say has to come of them, worked out without a line of the program."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from chaos.records import Parts, Record

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
class User:
    """Offsets of a user's events that count, by input; and the cents spent up to each purchase."""

    offsets: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    cents: list[int] = field(default_factory=lambda: [0])

    def upto(self, following: tuple[int, int]) -> tuple[int, int]:
        """Events and cents below the next offsets of both inputs."""
        clicks, purchases = map(bisect_left, self.offsets, following)
        return clicks + purchases, self.cents[purchases]


@dataclass
class Part:
    """What both inputs of one partition number hold."""

    users: defaultdict[str, User] = field(default_factory=lambda: defaultdict(User))
    offsets: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))
    refused: list[Record] = field(default_factory=list)
    ends: list[int] = field(default_factory=lambda: [0, 0])
    repeated: int = 0
    #: Time (ms) of the latest event.
    latest: int = 0

    def upto(self, following: tuple[int, int]) -> int:
        """Events of all users that count, below the next offsets."""
        return sum(map(bisect_left, self.offsets, following))


def expected(clicks: Parts, purchases: Parts) -> list[Part]:
    """What each partition has to count and to refuse; an id counts once for a user and input."""
    parts = [Part() for _ in clicks]
    for topic, inputs in enumerate((clicks, purchases)):
        for part, records in zip(parts, inputs, strict=True):
            _take(part, topic, records)
    return parts


def _take(part: Part, topic: int, records: list[Record]) -> None:
    known: set[tuple[str, str]] = set()
    for record in records:
        part.ends[topic] = record.offset + 1
        found = event(topic, record.value)
        if found is None:
            part.refused.append(record)
            continue
        identity = found["user_id"], found["event_id"]
        if identity in known:
            part.repeated += 1
            continue
        known.add(identity)
        part.latest = max(part.latest, found["occurred_at"])
        part.offsets[topic].append(record.offset)
        user = part.users[found["user_id"]]
        user.offsets[topic].append(record.offset)
        if topic == 1:
            paid = found["type"] == "purchase"
            user.cents.append(user.cents[-1] + paid * int(Decimal(str(found["value"])) * 100))
