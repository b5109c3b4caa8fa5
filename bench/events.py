"""Seeded events for the benchmark: who does what when, as the bytes that a shop would send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench import shop

SEED: Final = 20_250_901
USERS: Final = 1_000_000
CHUNK: Final = 50_000
HOUR_MS: Final = 3_600_000


@dataclass(frozen=True)
class Events:
    """Events in the order in which they arrive; all sequences have one entry an event.

    `user` numbers users, `arrived` is the record's time and `at` the event's own (epoch ms),
    `topic` is 0 for clicks and 1 for purchases, `key` and `value` are the record's.
    """

    user: NDArray[np.int64]
    arrived: NDArray[np.int64]
    topic: NDArray[np.int64]
    key: list[bytes]
    value: list[bytes]

    def __len__(self) -> int:
        return len(self.key)

    def part(self, begin: int, end: int) -> Events:
        """The events [begin, end)."""
        cut = slice(begin, end)
        return Events(
            self.user[cut], self.arrived[cut], self.topic[cut], self.key[cut], self.value[cut]
        )


def zipf(n: int, users: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """n user numbers from 0 on, drawn by Zipf's law with exponent 1: user k weighs 1 / (k + 1)."""
    return np.searchsorted(_cumulated(users), rng.random(n)).astype(np.int64)


@cache
def _cumulated(users: int) -> NDArray[np.float64]:
    weights = np.cumsum(1.0 / np.arange(1, users + 1))
    weights /= weights[-1]
    return weights


def arrivals(n: int, end_ms: int, span_ms: int = HOUR_MS) -> NDArray[np.int64]:
    """n ascending record times, evenly over the `span_ms` before `end_ms`."""
    return np.linspace(end_ms - span_ms, end_ms, n).astype(np.int64)


def user_keys(users: NDArray[np.int64]) -> list[bytes]:
    """The ids of users by number, 12 bytes each."""
    return [b"user-%07d" % number for number in users.tolist()]


def make(
    users: NDArray[np.int64],
    arrived: NDArray[np.int64],
    prefix: str,
    rng: np.random.Generator,
    first: int = 0,
) -> Events:
    """Events of `users` (n,) that arrive at `arrived` (n,); ids are `prefix`-`first` and so on.

    What happens is drawn by `shop.MIX`; an event arrives about a second after it occurred.
    """
    n = len(users)
    kinds = rng.choice(len(shop.TYPES), n, p=list(shop.MIX.values()))
    at = arrived - rng.exponential(800, n).astype(np.int64).clip(max=30_000)
    columns = (
        range(first, first + n),
        kinds.tolist(),
        users.tolist(),
        np.datetime_as_string(at.astype("M8[ms]"), "ms").tolist(),
        shop.draw_items(users, rng).tolist(),
        shop.draw_places(users, rng).tolist(),
        rng.integers(0, 2**31, n).tolist(),
    )
    texts = _texts()
    values = [texts.event(prefix, *row) for row in zip(*columns, strict=True)]
    topic = (kinds >= shop.CLICK_TYPES).astype(np.int64)
    return Events(users, arrived, topic, user_keys(users), values)


def chunks(
    users: NDArray[np.int64], arrived: NDArray[np.int64], prefix: str, rng: np.random.Generator
) -> Iterator[Events]:
    """The events of `make`, a chunk at a time: millions of them would not fit into memory."""
    for first in range(0, len(users), CHUNK):
        part = slice(first, first + CHUNK)
        yield make(users[part], arrived[part], prefix, rng, first)


@dataclass(frozen=True)
class Texts:
    """Fragments by number, see `shop`."""

    items: list[str]
    places: list[str]

    def event(
        self,
        prefix: str,
        number: int,
        kind: int,
        user: int,
        at: str,
        item: int,
        place: int,
        dice: int,
    ) -> bytes:
        """One event as JSON; `dice` decides the details that nothing depends on."""
        name = shop.TYPES[kind]
        head = (
            f'{{"event_id":"{prefix}-{number:09d}","type":"{name}","user_id":"user-{user:07d}",'
            f'"occurred_at":"{at}Z",'
        )
        if kind >= shop.CLICK_TYPES:
            return (head + self._order(name, number, item, dice)).encode()
        if name in shop.WITH_ITEM:
            about = f'{self.items[item]},"currency":"USD",'
        elif name == "search":
            about = f'"search_term":"term {dice % 5000} size {dice % 50}",'
        elif "promotion" in name:
            about = f'"promotion_id":"promo-{dice % 40:02d}",'
        else:
            about = f'"page_location":"https://shop.example/category-{item % 40:02d}?p={dice % 9}",'
        session = f'"session_id":"s-{user:07d}-{at[11:13]}",'
        return f"{head}{about}{session}{self.places[place]}}}".encode()

    def _order(self, name: str, number: int, item: int, dice: int) -> str:
        lines = [
            f'{{{self.items[(item + 31 * k) % shop.ITEMS]},"quantity":{1 + (dice >> k) % 2}}}'
            for k in range(1 if name == "refund" else 1 + dice % 4)
        ]
        value = 5 + dice % 12_000 / 100
        saved = f'"discount":{value / 10:.2f},"coupon":"SAVE10",' if dice % 5 == 0 else ""
        return (
            f'"transaction_id":"t-{number:09d}","value":{value:.2f},"currency":"USD",{saved}'
            f'"channel":"{shop.CHANNELS[dice % 6]}","items":[{",".join(lines)}]}}'
        )


@cache
def _texts() -> Texts:
    return Texts(shop.item_texts(), shop.place_texts())
