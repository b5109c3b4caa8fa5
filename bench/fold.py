"""What the fold costs: microseconds an event by part, with the features of the retail catalogue.

Run `python bench/fold.py [--profile]`. Decoding, finding rows, tags and Kafka are left out.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
from collections.abc import Callable
from importlib import resources
from statistics import median
from time import process_time

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import (
    CLICK_TYPES,
    EVENT_TYPES,
    MISSING,
    NO_OFFSET,
    NUMBER_COLUMNS,
    STRING_COLUMNS,
    EventBatch,
    Lines,
    Strings,
)
from stream_app.domain.layout import Layout, Rows
from stream_app.domain.source import loads
from stream_app.features import Dictionary, FeatureSettings, compile_features, declare

SEED = 20_170_101
ROUNDS = 40
HABIT = 0.7
STEP_MS = 600_000
START_MS = 1_700_000_000_000
#: Most clicks are looks; one event in 25 is a purchase.
TYPE_WEIGHTS = {"view_item": 10.0, "page_view": 6.0, "search": 3.0, "add_to_cart": 2.0}


def texts(rng: np.random.Generator, n: int, name: str, kinds: int, share: float) -> Strings:
    """A column with `kinds` texts that a `share` of the events carry."""
    codes = rng.integers(0, kinds, n).astype(np.int32)
    codes[rng.random(n) >= share] = -1
    return Strings(codes, [f"{name} {i}" for i in range(kinds)])


def by_habit(rng: np.random.Generator, column: Strings, user: NDArray[np.intp]) -> None:
    """Seven texts of ten become one of two favourites of the user."""
    favourite = (user * 7 + rng.integers(0, 2, len(user))) % len(column.values)
    habit = (rng.random(len(user)) < HABIT) & (column.codes >= 0)
    column.codes[habit] = favourite[habit]


def batch(rng: np.random.Generator, user: NDArray[np.intp], now: int) -> EventBatch:
    """A batch like a shop's: clicks, then purchases, within one step before `now`."""
    n = len(user)
    purchases = max(n // 25, 1)
    clicks = n - purchases
    weights = np.array([TYPE_WEIGHTS.get(name, 0.5) for name in CLICK_TYPES])
    types = rng.choice(len(CLICK_TYPES), clicks, p=weights / weights.sum())
    bought = rng.choice(
        [EVENT_TYPES.index("purchase")] * 9 + [EVENT_TYPES.index("refund")], purchases
    )
    kinds = {
        "device": 3,
        "channel": 6,
        "country": 20,
        "city": 300,
        "item_category": 40,
        "transaction_id": 2_000,
    }
    columns = {
        name: texts(rng, n, name, kinds.get(name, 2_000), 0.9 if name in kinds else 0.3)
        for name in STRING_COLUMNS
    }
    for name in ("device", "channel", "country", "city", "item_category"):
        by_habit(rng, columns[name], user)
    for name in ("item_id", "item_category", "device", "country", "city"):
        columns[name].codes[clicks:] = -1
    owner = np.repeat(np.arange(clicks, n), 4).astype(np.int32)
    numbers = {name: rng.integers(100, 10_000, n) for name in NUMBER_COLUMNS}
    numbers["value"][:clicks] = numbers["discount"][:clicks] = MISSING
    lines = Lines(
        owner,
        texts(rng, len(owner), "item", 2_000, 1.0),
        texts(rng, len(owner), "item_category", 40, 1.0),
        rng.integers(100, 10_000, len(owner)),
        rng.integers(1, 5, len(owner)),
    )
    return EventBatch(
        topic=np.repeat(np.array([0, 1], np.uint8), (clicks, purchases)),
        type=np.concatenate((types, bought)).astype(np.uint8),
        at=now - rng.integers(0, STEP_MS, n),
        utc_offset=np.full(n, NO_OFFSET),
        id_hash=rng.integers(0, 1 << 32, n).astype(np.uint32),
        position=np.arange(n),
        user=["u"] * n,
        event_id=["e"] * n,
        numbers=numbers,
        strings=columns,
        lines=lines,
    )


class Bench:
    """Rows of a fixed number of users that see one batch after the other."""

    def __init__(self, events: int) -> None:
        catalogue = (resources.files("stream_app") / "catalogs" / "retail.yaml").read_text()
        section = loads(catalogue).get("features")
        assert section is not None
        features = compile_features(declare(section), FeatureSettings("America/New_York"))
        self.layout = Layout.of(features.fields)
        self.features = features.bind(self.layout)
        self.names = features.names
        self.thresholds = dict.fromkeys(features.passing, (1.0, 24.0))
        self.events = events
        self.users = max(events * 3 // 4, 1)
        self.strings = Dictionary()
        self.rng = np.random.default_rng(SEED)
        self.store = self.layout.blank(self.users)
        self.seconds: dict[str, list[float]] = {"fold": [], "values": [], "due": []}

    def timed(self, part: str, work: Callable[[], object]) -> None:
        begin = process_time()
        work()
        self.seconds[part].append(process_time() - begin)

    def round(self, number: int) -> None:
        now = START_MS + number * STEP_MS
        # Of 3/4 n users, n events by rank to the power of -0.5 find about n/2.
        rank = (self.users * self.rng.random(self.events) ** 2).astype(np.intp)
        events = batch(self.rng, rank, now)
        touched, index = np.unique(rank, return_inverse=True)
        rows: Rows = self.store[touched]
        self.timed("fold", lambda: self.features.fold(rows, index, events, self.strings))
        self.timed("values", lambda: self.read(rows, now))
        self.timed("due", lambda: self.features.due(rows, now, self.thresholds))
        self.store[touched] = rows
        self.touched = len(touched)

    def read(self, rows: Rows, now: int) -> None:
        values = self.features.values(rows, now, self.strings)
        for name in self.names:
            values[name]

    def report(self) -> None:
        parts = {part: median(times[ROUNDS // 4 :]) for part, times in self.seconds.items()}
        parts["in all"] = sum(parts.values())
        listed = ", ".join(
            f"{part} {seconds * 1e6 / self.events:.2f}" for part, seconds in parts.items()
        )
        print(
            f"{self.events:>6} events, {self.touched} users, row {self.layout.size} B, "
            f"{len(self.names)} features: us an event: {listed}; "
            f"{parts['in all'] * 1e3:.2f} ms a batch"
        )


def main() -> None:
    """Print a line for large batches and one for small ones."""
    for events in (8_000, 1_000, 20):
        bench = Bench(events)
        profile = cProfile.Profile()
        for number in range(ROUNDS):
            if "--profile" in sys.argv and number == ROUNDS // 4:
                profile.enable()
            bench.round(number)
        bench.report()
        if "--profile" in sys.argv:
            profile.disable()
            pstats.Stats(profile).sort_stats("tottime").print_stats(28)


if __name__ == "__main__":
    main()
