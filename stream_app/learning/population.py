"""What is usual: quantiles of every column over the users sampled in the last seven days.

Every user counts once, by the newest of his vectors in the week: who is sampled on several days
weighs no more than who is sampled once. Of a user who was known on fewer of these days there were
fewer chances to be sampled, so the newest users are under-represented within a week of coming.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.learning.sampling import hashes, units

Vector = NDArray[np.float64]

QUANTILES: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
WINDOW_DAYS: Final = 7
#: Sampled users without whom nothing is learned of all.
LEAST: Final = 300


@dataclass(frozen=True, slots=True)
class Summary:
    """A week's population: by column (q, value) ascending, and the share of users without a value.

    A column that no user has a value of has no quantiles, and a share of 1.
    """

    users: int
    quantiles: Mapping[str, Sequence[tuple[float, float]]]
    missing: Mapping[str, float]


class Population:
    """The newest days' sampled vectors, at most `cap` a day: those of the smallest units.

    The cap acts as a lower sampling rate would. What is kept is thus a function of what was added
    since, in whatever order the partitions came; days go by `forget`, once all partitions are past.
    """

    def __init__(self, columns: Sequence[str], cap: int = 10_000) -> None:
        """Take the names of a vector's entries (c,); ValueError unless `cap` is positive."""
        if cap < 1:
            raise ValueError(f"cap must be positive, not {cap}")
        self.columns: Final = tuple(columns)
        self._cap = cap
        self._days: dict[int, dict[str, Vector]] = {}
        self._forgotten: int | None = None

    def __len__(self) -> int:
        """Vectors in memory: below twice the cap for every day not forgotten."""
        return sum(map(len, self._days.values()))

    def add(self, day: int, user: str, vector: Vector) -> None:
        """Take a user's vector (c,), NaN for missing, at the end of a day (a number, not ms).

        The same sample may come again; a day that is forgotten takes none. ValueError for another
        length than that of the columns and for an infinite value.
        """
        if vector.shape != (len(self.columns),):
            raise ValueError(f"{vector.shape} values for {len(self.columns)} columns")
        if np.isinf(vector).any():
            raise ValueError("an infinite value")
        if self._forgotten is not None and day <= self._forgotten:
            return
        sample = self._days.setdefault(day, {})
        # A copy: a row of a batch would keep the whole batch in memory.
        sample[user] = vector.astype(np.float64)
        # Twice the cap, so that the sorting is paid once for many users.
        if len(sample) >= 2 * self._cap:
            self._days[day] = _smallest(day, sample, self._cap)

    def forget(self, day: int) -> None:
        """Let go of a day and all before; a summary at a later day may need six of them still."""
        self._forgotten = day if self._forgotten is None else max(day, self._forgotten)
        self._days = {at: kept for at, kept in self._days.items() if at > self._forgotten}

    def vectors(self, day: int) -> NDArray[np.float64]:
        """Each user's newest vector (n, c) of the seven days that end with `day`."""
        newest: dict[str, Vector] = {}
        for at in range(day - WINDOW_DAYS + 1, day + 1):
            newest |= _smallest(at, self._days.get(at, {}), self._cap)
        return np.array(list(newest.values())).reshape(len(newest), len(self.columns))

    def day(self, day: int) -> NDArray[np.float64]:
        """The vectors (n, c) that were sampled at the end of one day."""
        found = list(_smallest(day, self._days.get(day, {}), self._cap).values())
        return np.array(found).reshape(len(found), len(self.columns))

    def summary(self, day: int) -> Summary:
        """The quantiles over the seven days that end with `day`, missing values left out."""
        values = self.vectors(day)
        columns = [column[~np.isnan(column)] for column in values.T]
        return Summary(
            users=len(values),
            quantiles={
                name: _quantiles(column) for name, column in zip(self.columns, columns, strict=True)
            },
            missing={
                name: 1 - column.size / max(len(values), 1)
                for name, column in zip(self.columns, columns, strict=True)
            },
        )


def _quantiles(values: Vector) -> list[tuple[float, float]]:
    """The smallest of `values` (n,) that a share q of them does not exceed, by q."""
    if not values.size:
        return []
    # A value that a user has, nothing between two: it stays one under log1p and among counts.
    found = np.quantile(values, QUANTILES, method="inverted_cdf")
    return list(zip(QUANTILES, found.tolist(), strict=True))


def _smallest(day: int, sample: Mapping[str, Vector], cap: int) -> dict[str, Vector]:
    """The `cap` users of a day's sample whose units for that day are the smallest."""
    if len(sample) <= cap:
        return dict(sample)
    users = list(sample)
    order = np.lexsort((np.array(users), units(hashes(users), day)))
    return {users[i]: sample[users[i]] for i in order[:cap].tolist()}
