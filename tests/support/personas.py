"""Populations of generated shoppers whose personas are known: what segments are tested against.

Vectors are drawn directly: counts are Poisson with a rate of the user's own, shares and spending
come from those counts, and a window of 30 days moves by a day where a thirtieth of what was counted
is forgotten and a day is added. A user without orders has no spend per order, and so on: NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COLUMNS = (
    "sessions_30d",
    "views_30d",
    "carts_30d",
    "orders_30d",
    "events_30d",
    "spend_30d",
    "spend_per_order_30d",
    "night_share_30d",
    "weekend_share_30d",
    "discount_share_30d",
)
BOT = -1
_TIMES_AS_MANY = 100
_DAYS = 30


@dataclass(frozen=True)
class Persona:
    """A kind of shopper: how many, visits a month, ratios down the funnel, money, habits."""

    share: float
    sessions: float
    views: float  # per session
    carts: float  # per view
    orders: float  # per cart
    basket: float
    night: float = 0.15
    weekend: float = 0.28
    discount: float = 0.10


GROCERY = (
    Persona(0.35, 24, 6, 0.50, 0.20, 45),  # weekly shoppers
    Persona(0.25, 5, 8, 0.55, 0.35, 220, weekend=0.75),  # one big shop at the weekend
    Persona(0.25, 40, 3, 0.10, 0.30, 15, discount=0.60),  # hunters of bargains
    Persona(0.15, 12, 25, 0.02, 0.05, 60, night=0.70),  # browse at night
)
FASHION = (
    Persona(0.30, 10, 12, 0.10, 0.30, 80),
    Persona(0.20, 45, 20, 0.03, 0.05, 70, night=0.60),
    Persona(0.20, 6, 5, 0.60, 0.60, 400, weekend=0.70),
    Persona(0.15, 25, 8, 0.30, 0.40, 30, discount=0.75),
    Persona(0.15, 3, 3, 0.05, 0.20, 50, night=0.50),
)
MARKET = (
    Persona(0.25, 15, 5, 0.40, 0.40, 35),
    Persona(0.20, 4, 4, 0.50, 0.70, 500),
    Persona(0.15, 60, 15, 0.04, 0.05, 25, night=0.65),
    Persona(0.15, 30, 4, 0.50, 0.50, 12, discount=0.80),
    Persona(0.15, 8, 30, 0.02, 0.10, 150, weekend=0.80),
    Persona(0.10, 3, 2, 0.05, 0.10, 20),
)
POPULATIONS = {"grocery": GROCERY, "fashion": FASHION, "market": MARKET}


#: By population, two personas that change their ways, and what becomes of them.
DRIFTS: Mapping[str, Mapping[int, Mapping[str, float]]] = {
    "grocery": {0: {"night": 0.60}, 3: {"sessions": 30}},
    "fashion": {1: {"sessions": 90, "night": 0.30}, 3: {"weekend": 0.70}},
    "market": {2: {"sessions": 90, "night": 0.30}, 3: {"weekend": 0.70}},
}


def drifted(population: str) -> tuple[Persona, ...]:
    """The population's personas after the drift."""
    changes = DRIFTS[population]
    return tuple(
        replace(persona, **changes.get(i, {})) for i, persona in enumerate(POPULATIONS[population])
    )


class Shop:
    """Users of some personas (`kinds` (n,), BOT for bots) and their vectors, day by day."""

    def __init__(
        self, personas: Sequence[Persona], n: int, seed: int, bots: float = 0.01, noise: float = 0.3
    ) -> None:
        self._rng = np.random.default_rng(seed)
        shares = np.array([persona.share for persona in personas])
        #: The persona of each user; a bot has the habits of one, too.
        self._like = self._rng.choice(len(personas), size=n, p=shares / shares.sum())
        self._own = np.exp(self._rng.normal(0.0, noise, size=(5, n)))
        self._bot = np.arange(n) < round(bots * n)
        self.kinds = np.where(self._bot, BOT, self._like)
        self._become(personas)
        self._counts = np.zeros((7, n), dtype=np.int64)
        self._spend = np.zeros(n)
        self._add(1.0)

    def change(self, personas: Sequence[Persona]) -> None:
        """Let users live as these personas do, a whole window long; a day for those as before."""
        rates, habits = self._rates, self._habits
        self._become(personas)
        same = (rates == self._rates).all(axis=0) & (habits == self._habits).all(axis=0)
        self.day()
        counts, spend = self._counts, self._spend
        self._counts, self._spend = np.zeros_like(counts), np.zeros_like(spend)
        self._add(1.0)
        self._counts = np.where(same, counts, self._counts)
        self._spend = np.where(same, spend, self._spend)

    def day(self) -> None:
        """Let a day go by."""
        before = self._counts[3].copy()
        self._counts = self._rng.binomial(self._counts, 1.0 - 1.0 / _DAYS)
        self._spend *= self._counts[3] / np.maximum(before, 1)
        self._add(1.0 / _DAYS)

    def vectors(self) -> Floats:
        """Return what is known of each user now (n, len(COLUMNS))."""
        sessions, views, carts, orders, night, weekend, discount = self._counts.astype(np.float64)
        events = sessions + views + carts + orders
        shares = [_ratio(part, whole) for part, whole in ((night, sessions), (weekend, sessions))]
        per_order = _ratio(self._spend, orders)
        last = (events, self._spend, per_order, *shares, _ratio(discount, orders))
        return np.array([sessions, views, carts, orders, *last]).T

    def _become(self, personas: Sequence[Persona]) -> None:
        rows = [(p.sessions, p.views, p.carts, p.orders, p.basket) for p in personas]
        habits = [(p.night, p.weekend, p.discount) for p in personas]
        self._rates = np.array(rows).T[:, self._like] * self._own
        self._habits = np.array(habits).T[:, self._like]

    def _add(self, share: float) -> None:
        """Add what happens in this share of a window."""
        sessions, views, carts, orders, basket = self._rates
        expected = np.array([sessions, sessions * views, sessions * views * carts])
        expected = np.vstack([expected, expected[2] * orders])
        # Bots look and put into carts a hundred times as often as users do, but buy like anyone.
        average = expected[:3, ~self._bot].mean(axis=1, keepdims=True)
        expected[:3, self._bot] = _TIMES_AS_MANY * average * self._own[:3, self._bot]
        new = self._rng.poisson(expected * share)
        night, weekend = self._rng.binomial(new[0], self._habits[:2])
        discount = self._rng.binomial(new[3], self._habits[2])
        self._counts += np.vstack([new, night, weekend, discount])
        self._spend += new[3] * basket * np.exp(self._rng.normal(0.0, 0.2, size=len(basket)))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
