"""A part of the shop's year as checked events, a few hundred at a time, and who did how much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice
from typing import Final

import numpy as np

from stream_app.data import Message, Selection, Shop, messages
from stream_app.data.checks import Checked
from stream_app.data.clock import day_number, day_start_ms
from stream_app.domain.batch import TOPICS
from stream_app.kafka.console.pace import Pace

YEAR: Final = (date(2017, 1, 1), date(2018, 1, 1))
_CHUNK: Final = 500
_DAY_S: Final = 86_400


@dataclass(slots=True)
class Slice:
    """Households and local dates `start` <= day < `end`, and how fast they pass.

    `seconds` is how long the replay is to take, 0: as fast as possible; `speed`, if given, decides
    instead: so many times faster than real time.
    """

    households: int
    start: date
    end: date
    seconds: float = 60.0
    speed: float | None = None

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def factor(self) -> float | None:
        """How much faster than real time; None: as fast as possible."""
        if self.speed is not None:
            return self.speed
        return self.days * _DAY_S / self.seconds if self.seconds else None

    def pace(self) -> Pace:
        return Pace(speed=self.factor)

    def share(self, at: int) -> float:
        """How much of the slice lies before `at` (ms), from 0 to 1."""
        first = day_start_ms(day_number(self.start))
        last = day_start_ms(day_number(self.end))
        return min(max((at - first) / (last - first), 0.0), 1.0)

    def __str__(self) -> str:
        last = self.end - timedelta(days=1)
        return f"{self.start:%-d %B} to {last:%-d %B %Y}"


@dataclass(slots=True)
class Feed:
    """The events of a slice; `events` counts what was handed over, by user."""

    shop: Shop
    part: Slice
    events: Counter[str] = field(default_factory=Counter)

    def chunks(self) -> Iterator[Checked]:
        """Yield the events in the order of their time. They are our own: nothing is refused."""
        part = self.part
        stream = messages(self.shop, Selection(part.households, part.start, part.end))
        line = 1
        while batch := list(islice(stream, _CHUNK)):
            yield self._checked(batch, line)
            line += len(batch)

    def _checked(self, batch: list[Message], line: int) -> Checked:
        users = [message.key.decode() for message in batch]
        self.events.update(users)
        return Checked(
            topic=[TOPICS.index(message.topic) for message in batch],
            user=users,
            value=[message.value for message in batch],
            at=np.array([message.at for message in batch]),
            line=np.arange(line, line + len(batch)),
        )
