"""What a comparison compares: names, constants and arithmetic on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from stream_app.domain.expression.columns import Floats, Frame

Numbers = Floats | float


class ExpressionError(Exception):
    """An expression that cannot be used; `column` counts from 1 in its source."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message, column)
        self.message = message
        self.column = column

    def __str__(self) -> str:
        return f"{self.message} (column {self.column})"


@dataclass(frozen=True, slots=True)
class Number:
    """A number for each row, or one for all; `source` identifies it.

    `direct` is the name whose value this is whenever that is not missing, else None. `names` are
    columns, `quantiles` numbers of all users; without names it is one number for all rows.
    `compound`: its source needs parentheses where it is part of another.
    """

    source: str
    compute: Callable[[Frame], Any] = field(compare=False)
    names: frozenset[str] = frozenset()
    constant: float | None = None
    direct: str | None = None
    quantiles: frozenset[str] = frozenset()
    compound: bool = False

    def values(self, frame: Frame) -> Any:
        """float64 (n,) with NaN where missing; without names one number, () or a float."""
        return self.constant if self.constant is not None else self.compute(frame)

    def at(self, frame: Frame, row: int) -> float | None:
        """The value of one row, None where missing."""
        if self.constant is not None:
            return self.constant
        values = self.compute(frame)
        value: float = values.item(row) if self.names else float(values)
        return None if math.isnan(value) else value


@dataclass(frozen=True, slots=True)
class TextOperand:
    """A text name, with what stands in for it where it is missing."""

    source: str
    name: str
    default: str | None = None

    def at(self, frame: Frame, row: int) -> str | None:
        """The text of one row, None where missing."""
        column = frame.text(self.name)
        code = int(column.codes[row])
        return column.values[code] if code >= 0 else self.default


def constant(value: float) -> Number:
    """One number for all rows."""
    shown = int(value) if value.is_integer() and abs(value) < 1e15 else value
    return Number(str(shown), lambda frame: value, constant=value)


def name(text: str) -> Number:
    """A number column."""
    return Number(text, lambda frame: frame.columns[text], frozenset((text,)), direct=text)


def quantile(text: str) -> Number:
    """A quantile of all users, such as q90.spend_30d: one number for all rows."""
    return Number(text, lambda frame: frame.quantile(text), quantiles=frozenset((text,)))


def apply(
    source: str,
    function: Callable[..., Any],
    arguments: Sequence[Number],
    *,
    compound: bool = False,
) -> Number:
    """`function` of the arguments; constant when they all are."""

    def compute(frame: Frame) -> Any:
        with np.errstate(all="ignore"):
            return function(*(argument.values(frame) for argument in arguments))

    if all(argument.constant is not None for argument in arguments):
        return constant(float(compute(Frame({}))))
    return Number(
        source,
        lambda frame: frame.once(source, compute),
        names=frozenset[str]().union(*(argument.names for argument in arguments)),
        quantiles=frozenset[str]().union(*(argument.quantiles for argument in arguments)),
        compound=compound,
    )


def coalesce(source: str, operand: Number, default: float) -> Number:
    """`operand`, or `default` where it is missing."""

    def compute(frame: Frame) -> Any:
        values = operand.values(frame)
        return np.where(np.isnan(values), default, values)

    return Number(
        source,
        lambda frame: frame.once(source, compute),
        names=operand.names,
        direct=operand.direct,
        quantiles=operand.quantiles,
    )


def _divide(dividend: Any, divisor: Any) -> Any:
    return np.divide(dividend, np.where(np.equal(divisor, 0), np.nan, divisor))


def _least(*values: Any) -> Any:
    return _fold(np.minimum, values)


def _greatest(*values: Any) -> Any:
    return _fold(np.maximum, values)


def _fold(function: Callable[[Any, Any], Any], values: Sequence[Any]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = function(result, value)
    return result


#: Arithmetic; what is missing makes the result missing, and so does a division by zero.
ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _divide,
}
#: Functions on numbers with the least and the greatest count of arguments.
FUNCTIONS: Final[dict[str, tuple[Callable[..., Any], int, int]]] = {
    "abs": (np.abs, 1, 1),
    "min": (_least, 2, 20),
    "max": (_greatest, 2, 20),
}
