"""Simulated sessions of one day: those without a basket, those before one, and sign-ups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.data.clock import DAY, HOUR, day_start_ms
from stream_app.data.past import Past
from stream_app.data.randomness import bits, choose, exponential, uniform
from stream_app.data.scripts import BROWSING_SCRIPTS, BUYING_SCRIPTS, SIGN_UP_SCRIPTS, Scripts
from stream_app.data.shop import Shop
from stream_app.data.taste import Tastes

#: Sessions without a basket for each one before a basket, by the household's own recent past.
SESSIONS_A_BASKET: Final = 10
MOST_A_DAY: Final = 40
_BROWSING, _BUYING, _SIGNING_UP = range(3)
#: Numbers of the draws within a session; items and gaps take the ranges from 16 and from 64.
START, SPREAD, SCRIPT, DEVICE, CHANNEL, CITY, PROMOTION, LEAD, SHORT = range(9)
ITEM: Final = 16
OWN: Final = 32
GAP: Final = 64


@dataclass(frozen=True, slots=True)
class Sessions:
    """n sessions of one kind. `key` identifies a session; `basket` is -1 where none follows."""

    key: NDArray[np.uint64]
    user: NDArray[np.int64]
    start: NDArray[np.int64]
    script: NDArray[np.int64]
    basket: NDArray[np.int64]
    scripts: Scripts


def browsing(day: int, users: NDArray[np.int64], tastes: Tastes, past: Past) -> Sessions:
    """Sessions that end without a basket and begin on this local day.

    Their number depends on the household's id and on its baskets in the 28 days before, never on
    what it buys today or later.
    """
    rate = tastes.curious[users] + (
        SESSIONS_A_BASKET * tastes.plans[users] * past.baskets_a_day(day, users)
    )
    rate *= tastes.sign_up_day[users] < day
    of_day = bits(tastes.key[users], _BROWSING, day)
    # An exponential rate with a rounded-at-random count: bursts and silent days, mean `rate`.
    count = np.floor(rate * exponential(of_day, START) + uniform(of_day, SPREAD)).astype(np.int64)
    count = np.where(rate > 0, np.minimum(count, MOST_A_DAY), 0)
    user = np.repeat(users, count)
    number = np.arange(len(user)) - np.repeat(np.cumsum(count) - count, count)
    key = bits(np.repeat(of_day, count), number)
    depth = uniform(key, SCRIPT) * (1 - 0.3 * tastes.eager[user]) + 0.15 * tastes.eager[user]
    script = choose(BROWSING_SCRIPTS.weights, np.clip(depth, 0, 1 - 1e-12))
    return Sessions(
        key, user, _start(day, key, user, tastes), script, np.full(len(user), -1), BROWSING_SCRIPTS
    )


def buying(day: int, shop: Shop, tastes: Tastes, chosen: NDArray[np.bool_]) -> Sessions:
    """Sessions before the baskets of this local day; they begin up to 20 hours earlier."""
    first, last = np.searchsorted(shop.baskets.day, [day, day + 1])
    basket = np.arange(first, last)
    user = shop.baskets.household[basket]
    key = bits(tastes.key[user], _BUYING, shop.baskets.id[basket])
    planned = uniform(key, START) < tastes.plans[user]
    kept = planned & chosen[user] & (tastes.sign_up_day[user] < day)
    basket, user, key = basket[kept], user[kept], key[kept]
    soon = uniform(key, SHORT) < 0.6
    hours = np.where(soon, 0.5 + 1.5 * uniform(key, LEAD), 2 + 18 * uniform(key, LEAD))
    start = shop.baskets.at[basket] - (hours * HOUR).astype(np.int64) // 1000 * 1000
    script = choose(BUYING_SCRIPTS.weights, uniform(key, SCRIPT))
    return Sessions(key, user, start, script, basket, BUYING_SCRIPTS)


def signing_up(day: int, users: NDArray[np.int64], tastes: Tastes) -> Sessions:
    """The one session in which a user who joins on this day signs up."""
    user = users[tastes.sign_up_day[users] == day]
    key = bits(tastes.key[user], _SIGNING_UP, day)
    none = np.full(len(user), -1)
    return Sessions(
        key,
        user,
        _start(day, key, user, tastes),
        np.zeros(len(user), np.int64),
        none,
        SIGN_UP_SCRIPTS,
    )


def _start(
    day: int, key: NDArray[np.uint64], user: NDArray[np.int64], tastes: Tastes
) -> NDArray[np.int64]:
    """Whole seconds around the user's hour of the day, within the day."""
    around = 5 * (uniform(key, START) + uniform(key, SPREAD) - 1)
    of_day = (((tastes.hour[user] + around) % 24) * HOUR).astype(np.int64)
    return day_start_ms(day) + np.minimum(of_day, DAY - 1000) // 1000 * 1000
