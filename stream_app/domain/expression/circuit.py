"""Many conditions at once: all comparisons in a few steps, then all that joins them.

For few rows nearly all time goes into calls of numpy, so equal steps of all conditions share one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.expression.columns import Bools, Frame
from stream_app.domain.expression.conditions import Condition, Junction, Not
from stream_app.domain.expression.leaves import HOLDS, NEGATED, Compare
from stream_app.domain.expression.operands import Number

Places = NDArray[np.intp]


class Answer(NamedTuple):
    """An answer of a condition: where it is true, or where it is false."""

    condition: Condition
    truth: bool = True

    @property
    def key(self) -> tuple[str, bool]:
        """The same for what has the same answer."""
        return self.condition.key, self.truth

    @property
    def inputs(self) -> tuple[Answer, ...]:
        """The answers that this one is made of; none for a comparison."""
        if isinstance(self.condition, Junction):
            return tuple(_plain(child, self.truth) for child in self.condition.children)
        return ()

    @property
    def level(self) -> int:
        return 1 + max((one.level for one in self.inputs), default=-1)

    @property
    def group(self) -> tuple[int, str, int]:
        """Equal for what one step can compute, and ascending from inputs to results."""
        match self.condition:
            case Junction(every=every):
                return self.level, "and" if every == self.truth else "or", len(self.inputs)
            case Compare(left=left, op=op, right=right) if left.names and not right.names:
                fixed = right.constant is not None
                return 0, op if self.truth else NEGATED[op], 1 if fixed else 2
        return 0, "", 0


@dataclass(frozen=True, slots=True)
class _Comparisons:
    """Some columns against a constant (k, 1) each, or against what quantiles make (k of these)."""

    out: slice
    holds: Callable[[Any, Any], Any]
    columns: Places
    constants: NDArray[np.float64]
    moving: tuple[Number, ...]

    def against(self, frame: Frame) -> NDArray[np.float64]:
        """What the columns are compared to, (k, 1)."""
        if not self.moving:
            return self.constants
        return np.array([[number.values(frame)] for number in self.moving], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Junctions:
    """Some junctions of equal width: the places (width, k) of what they join."""

    out: slice
    combine: np.ufunc
    inputs: Places


_JOINS: Final = {"and": np.logical_and, "or": np.logical_or}


class Circuit:
    """Answers of conditions as rows of one table; equal ones, also inside others, are one row."""

    def __init__(self, wanted: Iterable[Answer]) -> None:
        distinct: dict[tuple[str, bool], Answer] = {}
        pending = [_plain(*one) for one in wanted]
        while pending:
            one = pending.pop()
            if one.key not in distinct:
                distinct[one.key] = one
                pending += one.inputs
        self._rows = sorted(distinct.values(), key=lambda one: one.group)
        self._place = {one.key: place for place, one in enumerate(self._rows)}
        self._columns: dict[str, Number] = {}
        self._comparisons: list[_Comparisons] = []
        self._singles: list[tuple[int, Answer]] = []
        self._junctions: list[_Junctions] = []
        for (level, op, _), group in groupby(self._rows, lambda one: one.group):
            self._add(level, op, list(group))

    def _add(self, level: int, op: str, group: list[Answer]) -> None:
        first = self._place[group[0].key]
        out = slice(first, first + len(group))
        if level:
            inputs = np.array([self.places(one.inputs) for one in group], dtype=np.intp)
            self._junctions.append(_Junctions(out, _JOINS[op], inputs.T.copy()))
        elif op:
            compared = [one.condition for one in group if isinstance(one.condition, Compare)]
            columns = [self._column(one.left) for one in compared]
            constants = np.array([[one.right.constant] for one in compared], dtype=np.float64)
            moving = tuple(one.right for one in compared if one.right.constant is None)
            found = _Comparisons(out, HOLDS[op], np.array(columns), constants, moving)
            self._comparisons.append(found)
        else:
            self._singles += enumerate(group, start=first)

    def _column(self, operand: Number) -> int:
        self._columns.setdefault(operand.source, operand)
        return list(self._columns).index(operand.source)

    def places(self, wanted: Iterable[Answer]) -> Places:
        """The rows of the table that answer."""
        return np.array([self._place[_plain(*one).key] for one in wanted], dtype=np.intp)

    def run(self, frame: Frame, n: int) -> Bools:
        """bool (answers, n) for the n rows of `frame`."""
        table = np.empty((len(self._rows), n), dtype=np.bool_)
        if self._comparisons:
            columns = [operand.values(frame) for operand in self._columns.values()]
            values = np.concatenate(columns).reshape(-1, n)
            for one in self._comparisons:
                table[one.out] = one.holds(values[one.columns], one.against(frame))
        for place, single in self._singles:
            table[place] = single.condition.side(frame, single.truth)
        for junctions in self._junctions:
            joined = table[junctions.inputs]
            junctions.combine.reduce(joined, axis=0, out=table[junctions.out])
        return table


def _plain(condition: Condition, truth: bool) -> Answer:
    """The same answer without a `not` around it."""
    while isinstance(condition, Not):
        condition, truth = condition.child, not truth
    return Answer(condition, truth)
