"""Conditions in Kleene's three-valued logic, and the comparisons that decided one.

A condition answers twice: where it is true and where it is false. Where it is neither, it is
unknown, because something it needs is missing. Each answer is computed only when asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import reduce

import numpy as np

from stream_app.domain.because import Because
from stream_app.domain.expression.columns import Bools, Frame


class Condition(ABC):
    """A node; `key` identifies it, so that equal conditions are computed once a frame."""

    __slots__ = ()
    key: str

    def side(self, frame: Frame, truth: bool) -> Bools:
        """bool (n,): where the condition is true, or with `truth` False where it is false.

        One bool () for all rows where nothing but quantiles of all users is compared.
        """
        known = frame.sides[truth]
        found = known.get(self.key)
        if found is None:
            found = known[self.key] = self._side(frame, truth)
        return found

    @abstractmethod
    def _side(self, frame: Frame, truth: bool) -> Bools: ...

    @abstractmethod
    def explain(
        self, frame: Frame, row: int, truth: bool, held: bool, found: list[Because]
    ) -> None:
        """Add the comparisons for which `side(frame, truth)[row] == held`."""


class Leaf(Condition):
    """A comparison: what the reasons of a change are made of."""

    __slots__ = ()

    def explain(
        self, frame: Frame, row: int, truth: bool, held: bool, found: list[Because]
    ) -> None:
        comparison = self.compare(frame, row, truth == held)
        if comparison not in found:
            found.append(comparison)

    @abstractmethod
    def compare(self, frame: Frame, row: int, held: bool) -> Because:
        """The comparison of one row, negated when it did not hold."""


@dataclass(frozen=True, slots=True)
class Junction(Condition):
    """`and` when `every`, else `or`, of at least two conditions."""

    key: str
    every: bool
    children: tuple[Condition, ...]

    def _side(self, frame: Frame, truth: bool) -> Bools:
        combine = np.logical_and if self.every == truth else np.logical_or
        result: Bools = reduce(combine, [child.side(frame, truth) for child in self.children])
        return result

    def explain(
        self, frame: Frame, row: int, truth: bool, held: bool, found: list[Because]
    ) -> None:
        # All of a true `and` are true, all of a false `or` false; else it was some of them.
        all_of_them = self.every == (truth == held)
        for child in self.children:
            if all_of_them or _at(child.side(frame, truth), row) == held:
                child.explain(frame, row, truth, held, found)


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """The opposite; unknown stays unknown."""

    key: str
    child: Condition

    def _side(self, frame: Frame, truth: bool) -> Bools:
        return self.child.side(frame, not truth)

    def explain(
        self, frame: Frame, row: int, truth: bool, held: bool, found: list[Because]
    ) -> None:
        self.child.explain(frame, row, not truth, held, found)


def _at(side: Bools, row: int) -> bool:
    return bool(side[row] if side.ndim else side)
