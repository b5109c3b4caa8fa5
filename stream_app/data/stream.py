"""Purchases and clicks of a span of days, merged day by day in the order of event time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_app.data import sessions
from stream_app.data.clicks import CLICK, encode_clicks, unfold
from stream_app.data.clock import day_number, day_start_ms
from stream_app.data.past import Past
from stream_app.data.purchases import encode_purchases
from stream_app.data.randomness import bits
from stream_app.data.shop import Shop
from stream_app.data.taste import draw_tastes

DEFAULT_SEED: Final = 2017
_NEVER: Final = 2**62
#: Which households a limit keeps does not depend on the seed of the clicks.
_SAMPLE: Final = 1


class Message(NamedTuple):
    """What goes to Kafka; `at` is the event time in epoch milliseconds."""

    topic: str
    key: bytes
    value: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of the year: N households (None: all), local dates `start` <= day < `end`.

    What a household does is the same in every selection that contains it.
    """

    households: int | None = None
    start: date | None = None
    end: date | None = None
    seed: int = DEFAULT_SEED
    clicks: bool = True


def user_name(household: int) -> str:
    """The user id of a household of the data set."""
    return f"h{household:04}"


def messages(shop: Shop, selection: Selection) -> Iterator[Message]:
    """Messages of the selection, by event time; clicks come before purchases of the same second."""
    names = [user_name(household) for household in shop.households.tolist()]
    keys = [name.encode() for name in names]
    chosen = _sample(shop, selection.households)
    for clicks, basket in _days(shop, selection, chosen):
        values = [*encode_clicks(clicks, shop, names), *encode_purchases(shop, basket, names)]
        users = np.concatenate([clicks["user"], shop.baskets.household[basket]]).tolist()
        at = np.concatenate([clicks["at"], shop.baskets.at[basket]])
        times = at.tolist()
        for index in np.argsort(at, kind="stable").tolist():
            topic = "clicks" if index < len(clicks) else "purchases"
            yield Message(topic, keys[users[index]], values[index], times[index])


def _sample(shop: Shop, households: int | None) -> NDArray[np.bool_]:
    chosen = np.ones(len(shop.households), np.bool_)
    if households is not None:
        chosen[np.argsort(bits(_SAMPLE, shop.households))[households:]] = False
    return chosen


def _days(
    shop: Shop, selection: Selection, chosen: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.void], NDArray[np.int64]]]:
    """Day by day: clicks in order, and positions of the baskets."""
    first = 0 if selection.start is None else max(day_number(selection.start), 0)
    last = shop.days if selection.end is None else min(day_number(selection.end), shop.days)
    since = -_NEVER if selection.start is None else day_start_ms(first)
    simulated = _Clicks(shop, selection.seed, chosen)
    waiting = np.zeros(0, CLICK)
    # One day early: sessions run past midnight and precede the baskets of the next day.
    for day in range(first - 1, last):
        if selection.clicks:
            waiting = np.concatenate([waiting, simulated.of_day(day)])
        waiting = waiting[waiting["at"] >= since]
        until = _NEVER if day + 1 == shop.days else day_start_ms(day + 1)
        ready = waiting[waiting["at"] < until]
        waiting = waiting[waiting["at"] >= until]
        baskets = _baskets(shop, day, chosen) if day >= first else np.zeros(0, np.int64)
        yield ready[np.lexsort((ready["session"], ready["at"]))], baskets


def _baskets(shop: Shop, day: int, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    basket = np.arange(*np.searchsorted(shop.baskets.day, [day, day + 1]))
    return basket[chosen[shop.baskets.household[basket]]]


class _Clicks:
    """The simulation, one day at a time, in any order of days."""

    def __init__(self, shop: Shop, seed: int, chosen: NDArray[np.bool_]) -> None:
        self.shop = shop
        self.chosen = chosen
        self.users = np.flatnonzero(chosen)
        self.tastes = draw_tastes(seed, shop.households)
        self.past = Past(shop)

    def of_day(self, day: int) -> NDArray[np.void]:
        """Events of sessions that begin this day, and of those before tomorrow's baskets."""
        kinds = [sessions.buying(day + 1, self.shop, self.tastes, self.chosen)]
        if day >= 0:
            kinds.append(sessions.browsing(day, self.users, self.tastes, self.past))
            kinds.append(sessions.signing_up(day, self.users, self.tastes))
        promotion = self._promotions(day)
        unfolded = [
            unfold(kind, day, self.shop, self.tastes, self.past, promotion) for kind in kinds
        ]
        return np.concatenate(unfolded)

    def _promotions(self, day: int) -> NDArray[np.int64]:
        """What each household is sent: a campaign of the data set, else the week's flyer."""
        promotion = np.full(len(self.shop.households), 1000 + day // 7 + 1, np.int64)
        for campaign in self.shop.campaigns:
            if campaign.first_day <= day <= campaign.last_day:
                promotion[campaign.households] = campaign.id
        return promotion
