"""Conditions in Kleene's three-valued logic, and the comparisons that decided one.

A condition answers twice: where it is true and where it is false. Where it is neither, it is
unknown, because something it needs is missing. Each answer is computed only when asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import msgspec
import numpy as np

from stream_app.domain.expression.columns import Bools, Frame, same_text
from stream_app.domain.expression.operands import Number, TextOperand

Threshold = float | str | list[float] | list[str] | None


class Comparison(msgspec.Struct, frozen=True, gc=False):
    """One comparison as it came out: `feature op threshold` is a true statement about `value`.

    `op` is `> >= < <= == != in`, `not in`, `has` or `missing`; `value` is None when missing.
    """

    feature: str
    op: str
    value: float | str | None
    threshold: Threshold


def _differ(left: Any, right: Any) -> Any:
    # numpy holds that NaN != 3 is true; here nothing is known of what is missing.
    return np.less(left, right) | np.greater(left, right)


#: Where the comparison is true.
HOLDS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": _differ,
}
NEGATED: Final = {
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
    "==": "!=",
    "!=": "==",
    "in": "not in",
    "not in": "in",
}


class Condition(ABC):
    """A node; `key` identifies it, so that equal conditions are computed once a frame."""

    __slots__ = ()
    key: str

    def side(self, frame: Frame, truth: bool) -> Bools:
        """bool (n,): where the condition is true, or with `truth` False where it is false."""
        known = frame.sides[truth]
        found = known.get(self.key)
        if found is None:
            found = known[self.key] = self._side(frame, truth)
        return found

    @abstractmethod
    def _side(self, frame: Frame, truth: bool) -> Bools: ...

    @abstractmethod
    def explain(
        self, frame: Frame, row: int, truth: bool, held: bool, found: list[Comparison]
    ) -> None:
        """Add the comparisons for which `side(frame, truth)[row] == held`."""


class Leaf(Condition):
    """A comparison: what the reasons of a change are made of."""

    __slots__ = ()

    def explain(
        self, frame: Frame, row: int, truth: bool, held: bool, found: list[Comparison]
    ) -> None:
        comparison = self.compare(frame, row, truth == held)
        if comparison not in found:
            found.append(comparison)

    @abstractmethod
    def compare(self, frame: Frame, row: int, held: bool) -> Comparison:
        """The comparison of one row, negated when it did not hold."""


@dataclass(frozen=True, slots=True)
class Compare(Leaf):
    """`left op right` of numbers; `left` has a name in it."""

    key: str
    left: Number
    op: str
    right: Number

    def _side(self, frame: Frame, truth: bool) -> Bools:
        holds = HOLDS[self.op if truth else NEGATED[self.op]]
        result: Bools = holds(self.left.values(frame), self.right.values(frame))
        return result

    def compare(self, frame: Frame, row: int, held: bool) -> Comparison:
        value, threshold = self.left.at(frame, row), self.right.at(frame, row)
        if value is None:
            return Comparison(self.left.source, "missing", None, None)
        if threshold is None:
            return Comparison(self.right.source, "missing", None, None)
        return Comparison(self.left.source, self.op if held else NEGATED[self.op], value, threshold)


@dataclass(frozen=True, slots=True)
class Member(Leaf):
    """`operand in constants`, or `not in`, of numbers."""

    key: str
    operand: Number
    op: str
    constants: tuple[float, ...]

    def _side(self, frame: Frame, truth: bool) -> Bools:
        values = self.operand.values(frame)
        inside: Bools = reduce(np.logical_or, [values == c for c in self.constants])
        return inside if truth == (self.op == "in") else ~(inside | np.isnan(values))

    def compare(self, frame: Frame, row: int, held: bool) -> Comparison:
        value = self.operand.at(frame, row)
        if value is None:
            return Comparison(self.operand.source, "missing", None, None)
        op = self.op if held else NEGATED[self.op]
        return Comparison(self.operand.source, op, value, list(self.constants))


@dataclass(frozen=True, slots=True)
class TextMember(Leaf):
    """`operand in texts` or `operand == text`, or their opposites."""

    key: str
    operand: TextOperand
    op: str
    texts: tuple[str, ...]

    def _side(self, frame: Frame, truth: bool) -> Bools:
        column, default = frame.text(self.operand.name), self.operand.default
        inside = np.zeros(len(column.codes), dtype=np.bool_)
        for code in frame.codes_of(self.operand.name, self.texts):
            inside |= column.codes == code
        missing = column.codes < 0
        if default is not None and default in self.texts:
            inside |= missing
        if truth == (self.op in {"in", "=="}):
            return inside
        return ~inside if default is not None else ~(inside | missing)

    def compare(self, frame: Frame, row: int, held: bool) -> Comparison:
        value = self.operand.at(frame, row)
        if value is None:
            return Comparison(self.operand.source, "missing", None, None)
        op = self.op if held else NEGATED[self.op]
        threshold = self.texts[0] if op in {"==", "!="} else list(self.texts)
        return Comparison(self.operand.source, op, value, threshold)


@dataclass(frozen=True, slots=True)
class TextEqual(Leaf):
    """`left == right` or `left != right` of two text names."""

    key: str
    left: TextOperand
    op: str
    right: TextOperand

    def _side(self, frame: Frame, truth: bool) -> Bools:
        left, right = frame.text(self.left.name), frame.text(self.right.name)
        equal = same_text(left, right)
        if truth == (self.op == "=="):
            return equal
        both: Bools = (left.codes >= 0) & (right.codes >= 0)
        return both & ~equal

    def compare(self, frame: Frame, row: int, held: bool) -> Comparison:
        value, threshold = self.left.at(frame, row), self.right.at(frame, row)
        if value is None:
            return Comparison(self.left.source, "missing", None, None)
        if threshold is None:
            return Comparison(self.right.source, "missing", None, None)
        return Comparison(self.left.source, self.op if held else NEGATED[self.op], value, threshold)


@dataclass(frozen=True, slots=True)
class Has(Leaf):
    """`has(operand)`: whether it is there; never unknown."""

    key: str
    operand: Number | TextOperand

    def _side(self, frame: Frame, truth: bool) -> Bools:
        if isinstance(self.operand, TextOperand):
            present: Bools = frame.text(self.operand.name).codes >= 0
            present = present | (self.operand.default is not None)
        else:
            present = ~np.isnan(self.operand.values(frame))
        return present if truth else ~present

    def compare(self, frame: Frame, row: int, held: bool) -> Comparison:
        value = self.operand.at(frame, row)
        return Comparison(self.operand.source, "has" if held else "missing", value, None)


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
        self, frame: Frame, row: int, truth: bool, held: bool, found: list[Comparison]
    ) -> None:
        # All of a true `and` are true, all of a false `or` false; else it was some of them.
        all_of_them = self.every == (truth == held)
        for child in self.children:
            if all_of_them or child.side(frame, truth)[row] == held:
                child.explain(frame, row, truth, held, found)


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """The opposite; unknown stays unknown."""

    key: str
    child: Condition

    def _side(self, frame: Frame, truth: bool) -> Bools:
        return self.child.side(frame, not truth)

    def explain(
        self, frame: Frame, row: int, truth: bool, held: bool, found: list[Comparison]
    ) -> None:
        self.child.explain(frame, row, not truth, held, found)
