"""What every part is measured on: a broker, lanes, seeded events, and a place for what is found."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from bench import events
from bench.lanes import Lane
from bench.parts import Sizes


@dataclass
class Stage:
    """`found` has each part's figures, a list entry a round; `took` the seconds of each part.

    Workers run the catalogue `rules_only`, the retail one without its learning, where not told
    otherwise: figures of before learning stay comparable. Logs and local stores go to `folder`.
    """

    servers: str
    rules_only: str
    folder: Path
    sizes: Sizes
    parts: Collection[str]
    rounds: int
    say: Callable[[str], None]
    found: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    took: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def events(
        self, total: int, stream: int, *, users: int | None = None, prefix: str = "z"
    ) -> Iterator[events.Events]:
        """Events by Zipf's law, of the hour up to now; the same `stream` draws the same users and
        events, whose ids begin with `prefix`.
        """
        rng = self.rng(stream)
        who = events.zipf(total, users or self.sizes.users, rng)
        return events.chunks(who, events.arrivals(total, now_ms()), f"{prefix}{stream}", rng)

    @asynccontextmanager
    async def lane(self, name: str, *, learning: bool = False) -> AsyncIterator[Lane]:
        """A lane's topics for the block."""
        catalog = "retail" if learning else self.rules_only
        lane = Lane(self.servers, name, catalog, learning)
        await lane.create()
        try:
            yield lane
        finally:
            await lane.delete()

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Counts the block's time as the part's."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.took[part] += time.monotonic() - began

    def rng(self, stream: int) -> np.random.Generator:
        return np.random.default_rng([events.SEED, stream])

    def log(self, name: str) -> Path:
        return self.folder / f"{next(self._numbers):02d}-{name}.log"

    def add(self, name: str, figures: dict[str, Any]) -> None:
        """Keep what a round found of a part, and show it."""
        self.found[name].append(figures)
        shown = ", ".join(f"{key} {value}" for key, value in figures.items())
        self.say(f"  {name}: {shown}")


def now_ms() -> int:
    """The system's clock, epoch ms."""
    return time.time_ns() // 1_000_000
