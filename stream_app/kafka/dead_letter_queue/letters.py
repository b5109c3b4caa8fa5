"""Dead letters as an operator sees them: read back, filtered, counted, told whether retried."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

#: The header of a note: which dead letter was sent again. A note has no `reason`.
RETRIED: Final = "retried"


class LetterError(Exception):
    """A dead letter that is not there or cannot be used so; the message says what to do."""


class Position(NamedTuple):
    """Where a record lies in its topic; its text is PARTITION:OFFSET."""

    partition: int
    offset: int

    @classmethod
    def of(cls, text: str) -> Position:
        """The position that a text such as `3:17` names; raises LetterError for others."""
        partition, _, offset = text.partition(":")
        # isdecimal alone takes digits of other scripts too; no offset has 20 digits.
        decimal = text.isascii() and partition.isdecimal() and offset.isdecimal()
        if not decimal or len(text) > 30:
            raise LetterError(
                f"{text!r} is no dead letter: expected PARTITION:OFFSET, such as 3:17"
            )
        return cls(int(partition), int(offset))

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A refused record: `at` is when it was refused (epoch ms), `source` where it was read.

    `length` are the bytes of the whole value where `value` is only its beginning.
    """

    position: Position
    at: int
    reason: str
    detail: str
    topic: str
    source: Position
    key: bytes
    value: bytes
    length: int | None = None

    @property
    def origin(self) -> str:
        """`clicks 3:120456`."""
        return f"{self.topic} {self.source}"


@dataclass(frozen=True, slots=True)
class Note:
    """Says that the dead letter at `position` was sent again, as the record `sent`."""

    position: Position
    sent: str

    def headers(self) -> list[tuple[str, bytes]]:
        """What its record carries; it has no value."""
        return [(RETRIED, str(self.position).encode()), ("sent", self.sent.encode())]


def parse(record: Any) -> Letter | Note | None:
    """A record of the topic (aiokafka's ConsumerRecord); None where it is neither."""
    headers = {name: bytes(value or b"").decode(errors="replace") for name, value in record.headers}
    try:
        if RETRIED in headers:
            return Note(Position.of(headers[RETRIED]), headers.get("sent", ""))
        return Letter(
            position=Position(record.partition, record.offset),
            at=record.timestamp,
            reason=headers["reason"],
            detail=headers["detail"],
            topic=headers["topic"],
            source=Position(int(headers["partition"]), int(headers["offset"])),
            key=record.key or b"",
            value=record.value or b"",
            length=int(headers["length"]) if "length" in headers else None,
        )
    except (KeyError, ValueError, LetterError):
        return None


@dataclass(frozen=True)
class Wanted:
    """Which dead letters; empty: all. `since` is epoch ms of when they were refused."""

    reasons: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    since: int = 0
    positions: frozenset[Position] = frozenset()

    def takes(self, letter: Letter) -> bool:
        """Whether this is one of them."""
        return (
            letter.at >= self.since
            and (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or letter.topic in self.topics)
            and (not self.positions or letter.position in self.positions)
        )


@dataclass
class Listing:
    """What was read: the `limit` newest of those wanted (None: all), and how many there are."""

    wanted: Wanted
    limit: int | None = None
    #: By reason and topic.
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: What was sent for a dead letter, by its position.
    retried: dict[Position, str] = field(default_factory=dict)
    foreign: int = 0
    _kept: list[tuple[int, Position, Letter]] = field(default_factory=list)

    def take(self, records: Iterable[Any]) -> None:
        """Take records in log order."""
        for record in records:
            found = parse(record)
            if isinstance(found, Note):
                self.retried[found.position] = found.sent
            elif found is None:
                self.foreign += 1
            elif self.wanted.takes(found):
                self._keep(found)

    def _keep(self, letter: Letter) -> None:
        self.counts[letter.reason, letter.topic] += 1
        heapq.heappush(self._kept, (letter.at, letter.position, letter))
        if self.limit is not None and len(self._kept) > self.limit:
            heapq.heappop(self._kept)

    @property
    def letters(self) -> Sequence[Letter]:
        """Those kept, newest first."""
        return [letter for _, _, letter in sorted(self._kept, key=lambda one: one[:2])[::-1]]
