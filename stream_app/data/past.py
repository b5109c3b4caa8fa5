"""What the shop knew on the morning of a day: all that a simulated session may depend on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_app.data.shop import Shop

#: Sessions look back so many of the household's own lines, and of everybody's.
OWN_LINES = 60
ALL_LINES = 50_000
RECENT_DAYS = 28


class Past:
    """Counts of baskets and lines before each day, by household; columns are days."""

    def __init__(self, shop: Shop) -> None:
        households, days = len(shop.households), max(shop.days, 1)
        household = shop.baskets.household[shop.lines.basket]
        self.last_day = days
        self._line_end = np.searchsorted(shop.baskets.day[shop.lines.basket], np.arange(days + 1))
        self._own = np.argsort(household, kind="stable")
        self._own_first = np.searchsorted(household[self._own], np.arange(households))
        self._lines = _before(household, shop.baskets.day[shop.lines.basket], households, days)
        self._baskets = _before(shop.baskets.household, shop.baskets.day, households, days)

    def baskets_a_day(self, day: int, household: NDArray[np.int64]) -> NDArray[np.float64]:
        """Baskets a day of these households in the 28 days before `day`, or since the data begins.

        The first week counts as a whole one, so that one early basket does not weigh too much.
        """
        until, since = min(day, self.last_day), max(day - RECENT_DAYS, 0)
        counted = self._baskets[household, until] - self._baskets[household, since]
        return np.asarray(counted / min(max(day, 7), RECENT_DAYS))

    def own_line(
        self, day: int, household: NDArray[np.int64], u: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """A line among the household's last 60 before `day`, drawn by `u`; -1 if there is none."""
        known = self._lines[household, min(day, self.last_day)].astype(np.int64)
        reach = np.minimum(known, OWN_LINES)
        position = self._own_first[household] + known - reach + (u * reach).astype(np.int64)
        line = self._own[np.minimum(position, len(self._own) - 1)]
        return np.where(known > 0, line, -1)

    def any_line(self, day: int, u: NDArray[np.float64]) -> NDArray[np.int64]:
        """A line among the shop's last 50,000 before `day`, drawn by `u`; -1 if there is none."""
        end = int(self._line_end[min(day, self.last_day)])
        reach = min(end, ALL_LINES)
        return np.where(reach > 0, end - reach + (u * reach).astype(np.int64), -1)


def _before(
    household: NDArray[np.int64], day: NDArray[np.int64], households: int, days: int
) -> NDArray[np.int32]:
    """(households, days + 1): how many entries each household has before each day."""
    counts = np.bincount(household * days + day, minlength=households * days)
    before = np.zeros((households, days + 1), np.int32)
    np.cumsum(counts.reshape(households, days), axis=1, out=before[:, 1:])
    return before
