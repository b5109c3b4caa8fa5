"""What vectors add to the centroids they are nearest to: counts, sums and squared distances.

Kept in fixed point, as whole numbers of 2**-24: floating sums depend on the order and the split of
what is added, sums of whole numbers do not. So tallies of parts add up to that of the whole, to the
last bit, however many there are and in whatever order they arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.learning.lloyd import squared_distances

Floats = NDArray[np.float64]

#: One, in fixed point.
ONE: Final = 2**24
#: Largest size of an entry: with it, sums of a slice of the widest vectors stay below 2**63.
LARGEST: Final = 1_024.0
_SLICE: Final = 256
_WIDEST: Final = 256


def refuse(values: Floats, names: Sequence[str]) -> None:
    """Raise ValueError naming the first feature whose value is not finite, or too large."""
    bad = ~(np.abs(values) <= LARGEST)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{names[column]} is {values[row, column]}: not a finite, scaled value")


@dataclass(frozen=True)
class Tally:
    """Of k centroids: n (k), sums (k of w) and sums of squared distances (k), in fixed point.

    Python's whole numbers, which have no largest one.
    """

    n: tuple[int, ...]
    sums: tuple[tuple[int, ...], ...]
    squares: tuple[int, ...]

    @classmethod
    def none(cls, k: int, w: int) -> Tally:
        """The tally of no vectors."""
        return cls((0,) * k, ((0,) * w,) * k, (0,) * k)

    @classmethod
    def of(cls, values: Floats, centres: Floats) -> Tally:
        """Count vectors (n, w), refused by nothing, to the nearest of the centres (k, w)."""
        k, w = centres.shape
        if w > _WIDEST:
            raise ValueError(f"{w} features; at most {_WIDEST}")
        found = cls.none(k, w)
        for first in range(0, len(values), _SLICE):
            found += cls._of_slice(values[first : first + _SLICE], centres)
        return found

    @classmethod
    def _of_slice(cls, values: Floats, centres: Floats) -> Tally:
        squared = squared_distances(values, centres)
        labels = squared.argmin(axis=1)
        member = (labels == np.arange(len(centres))[:, None]).astype(np.int64)
        nearest = squared[np.arange(len(values)), labels]
        return cls(
            _whole(member.sum(axis=1)),
            tuple(_whole(row) for row in member @ _fixed(values)),
            _whole(member @ _fixed(nearest)),
        )

    def __add__(self, other: Tally) -> Tally:
        """The tally of both, by the same centroids."""
        if len(self.n) != len(other.n):
            raise ValueError("tallies of different centroids")
        return Tally(
            _added(self.n, other.n),
            tuple(_added(a, b) for a, b in zip(self.sums, other.sums, strict=True)),
            _added(self.squares, other.squares),
        )

    @property
    def sse(self) -> float:
        """The sum of all squared distances."""
        return sum(self.squares) / ONE

    def means(self, centres: Floats) -> Floats:
        """Return the means (k, w) of what was counted; the centre itself where nothing was."""
        rows = [
            [total / (ONE * n) for total in sums] if n else centre
            for n, sums, centre in zip(self.n, self.sums, centres.tolist(), strict=True)
        ]
        return np.array(rows).reshape(centres.shape)


def _fixed(values: Floats) -> NDArray[np.int64]:
    # Rounded row by row, before anything is added: that is what makes the sums exact.
    found: NDArray[np.int64] = np.rint(values * ONE).astype(np.int64)
    return found


def _whole(values: NDArray[Any]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _added(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))
