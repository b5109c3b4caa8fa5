"""The comparisons of the rule language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import numpy as np

from stream_app.domain.because import Because
from stream_app.domain.expression.columns import Bools, Frame, same_text
from stream_app.domain.expression.conditions import Leaf
from stream_app.domain.expression.operands import Number, TextOperand


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


@dataclass(frozen=True, slots=True)
class Compare(Leaf):
    """`left op right` of numbers; `left` has a name in it, or both hold for all rows."""

    key: str
    left: Number
    op: str
    right: Number

    def _side(self, frame: Frame, truth: bool) -> Bools:
        holds = HOLDS[self.op if truth else NEGATED[self.op]]
        result: Bools = holds(self.left.values(frame), self.right.values(frame))
        return result

    def compare(self, frame: Frame, row: int, held: bool) -> Because:
        value, threshold = self.left.at(frame, row), self.right.at(frame, row)
        if value is None:
            return Because(self.left.source, None, "missing", None)
        if threshold is None:
            return Because(self.right.source, None, "missing", None)
        op = self.op if held else NEGATED[self.op]
        of = self.right.source if self.right.quantiles else None
        return Because(self.left.source, value, op, threshold, threshold_of=of)


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

    def compare(self, frame: Frame, row: int, held: bool) -> Because:
        value = self.operand.at(frame, row)
        if value is None:
            return Because(self.operand.source, None, "missing", None)
        op = self.op if held else NEGATED[self.op]
        return Because(self.operand.source, value, op, list(self.constants))


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

    def compare(self, frame: Frame, row: int, held: bool) -> Because:
        value = self.operand.at(frame, row)
        if value is None:
            return Because(self.operand.source, None, "missing", None)
        op = self.op if held else NEGATED[self.op]
        threshold = self.texts[0] if op in {"==", "!="} else list(self.texts)
        return Because(self.operand.source, value, op, threshold)


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

    def compare(self, frame: Frame, row: int, held: bool) -> Because:
        value, threshold = self.left.at(frame, row), self.right.at(frame, row)
        if value is None:
            return Because(self.left.source, None, "missing", None)
        if threshold is None:
            return Because(self.right.source, None, "missing", None)
        return Because(self.left.source, value, self.op if held else NEGATED[self.op], threshold)


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

    def compare(self, frame: Frame, row: int, held: bool) -> Because:
        value = self.operand.at(frame, row)
        return Because(self.operand.source, value, "has" if held else "missing", None)
