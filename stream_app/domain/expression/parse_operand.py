"""The operands of comparisons: names, constants, arithmetic and calls."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import numpy as np

from stream_app.domain.errors import nearest
from stream_app.domain.expression.operands import (
    ARITHMETIC,
    FUNCTIONS,
    ExpressionError,
    Number,
    TextOperand,
    apply,
    coalesce,
    constant,
    name,
    quantile,
)

MAX_DEPTH: Final = 60
#: A quoted text is a plain str.
Operand = Number | TextOperand | str
#: The quantiles of all users that rules can compare with: those that models publish.
QUANTILES: Final = ("q1", "q5", "q10", "q25", "q50", "q75", "q90", "q95", "q99")
_LIKE_A_QUANTILE: Final = re.compile(r"[qQpP][0-9_]+")
CALLS: Final = ("has", "coalesce", *FUNCTIONS)
_BINARY: Final[dict[type[ast.operator], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
}


class Operands:
    """Parses operands of `source` over names of the given kinds, and `quantiles` of them or not."""

    def __init__(self, source: str, kinds: Mapping[str, str], quantiles: bool) -> None:
        self._source = source.encode()
        self._kinds = kinds
        self._quantiles = quantiles
        self._depth = 0

    def error(self, message: str, node: ast.expr) -> ExpressionError:
        """The error to raise at `node`."""
        before = self._source[: node.col_offset].decode(errors="ignore")
        return ExpressionError(message, len(before) + 1)

    def text(self, node: ast.expr) -> str:
        """The source of `node`, cut short."""
        return self._source[node.col_offset : node.end_col_offset].decode(errors="ignore")[:40]

    @contextmanager
    def deeper(self, node: ast.expr) -> Iterator[None]:
        """Refuse what is nested so deeply that evaluating it would overflow the stack."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self.error(f"is nested deeper than {MAX_DEPTH} levels", node)
        yield
        self._depth -= 1

    @staticmethod
    def fixed(operand: Operand) -> float | str | None:
        """The value of a constant, or None."""
        if isinstance(operand, Number):
            return operand.constant
        return operand if isinstance(operand, str) else None

    def operand(self, node: ast.expr) -> Operand:
        """Parse a name, a constant, arithmetic or a call."""
        with self.deeper(node):
            return self._operand(node)

    def _operand(self, node: ast.expr) -> Operand:
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.Constant(value=bool() | int() | float() as value):
                return self._constant(value, node)
            case ast.Constant(value=None):
                raise self.error("None is not a value; use has(name)", node)
            case ast.Name(id=identifier):
                return self._name(identifier, node)
            case ast.Attribute(value=ast.Name(id=rank), attr=identifier):
                return self._quantile(rank, identifier, node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                number = self.number(operand)
                return apply(f"-{_wrapped(number)}", np.negative, [number], compound=True)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return self._arithmetic(left, _BINARY[type(op)], right, node)
            case ast.Call():
                return self._call(node)
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                raise self.error("a condition is not a number; expected a number or text", node)
        message = f"{self.text(node)} is not in the language; see docs/rules.md"
        raise self.error(message, node)

    def _constant(self, value: float, node: ast.expr) -> Number:
        try:
            return self._finite(constant(float(value)), node)
        except OverflowError:
            raise self.error("is not a finite number", node) from None

    def _finite(self, operand: Number, node: ast.expr) -> Number:
        if operand.constant is not None and not math.isfinite(operand.constant):
            raise self.error("is not a finite number", node)
        return operand

    def _name(self, identifier: str, node: ast.expr) -> Operand:
        kind = self._kinds.get(identifier)
        if kind is None and self._quantiles and identifier in QUANTILES:
            raise self.error(f"{identifier} needs a feature, as in q90.spend_30d", node)
        if kind is None:
            expected = nearest(identifier, self._kinds)
            raise self.error(f"{identifier!r} is not known; expected {expected}", node)
        if kind == "text":
            return TextOperand(identifier, identifier)
        if kind == "number":
            return name(identifier)
        raise self.error(f"{identifier} is a {kind}; expected a number or text", node)

    def _quantile(self, rank: str, identifier: str, node: ast.expr) -> Number:
        text = f"{rank}.{identifier}"
        if not _LIKE_A_QUANTILE.fullmatch(rank):
            known = rank in self._kinds and identifier in QUANTILES
            hint = f"a quantile is written {identifier}.{rank}" if known else "see docs/rules.md"
            raise self.error(f"{text} is not in the language; {hint}", node)
        if not self._quantiles:
            raise self.error(f"{text}: quantiles of all users are for rules of tags only", node)
        if rank not in QUANTILES:
            expected = f"one of {', '.join(QUANTILES)}"
            raise self.error(f"{rank} is not a quantile that is known; expected {expected}", node)
        kind = self._kinds.get(identifier)
        if kind is None:
            expected = nearest(identifier, self._numbers())
            raise self.error(f"{identifier!r} in {text} is not known; expected {expected}", node)
        if kind != "number":
            raise self.error(f"{text}: {identifier} is not a number and has no quantiles", node)
        return quantile(text)

    def _numbers(self) -> list[str]:
        return [name for name, kind in self._kinds.items() if kind == "number"]

    def number(self, node: ast.expr) -> Number:
        """Parse an operand that must be a number."""
        operand = self.operand(node)
        if isinstance(operand, Number):
            return operand
        source = repr(operand) if isinstance(operand, str) else operand.source
        raise self.error(f"{source} is text; expected a number", node)

    def arguments(self, node: ast.Call, least: int, most: int) -> list[ast.expr]:
        """Positional arguments of a call, as many as allowed."""
        if node.keywords or not least <= len(node.args) <= most:
            count = str(least) if least == most else f"{least} to {most}"
            raise self.error(f"{self.text(node.func)}() takes {count} values", node)
        return node.args

    def _arithmetic(self, left: ast.expr, op: str, right: ast.expr, node: ast.expr) -> Number:
        first, second = self.number(left), self.number(right)
        source = f"{_wrapped(first)} {op} {_wrapped(second)}"
        joined = apply(source, ARITHMETIC[op], [first, second], compound=True)
        return self._finite(joined, node)

    def _call(self, node: ast.Call) -> Operand:
        called = self.text(node.func)
        if called == "has":
            raise self.error("has() is a condition, not a number", node)
        if called == "coalesce":
            return self._coalesce(node)
        if called not in FUNCTIONS:
            expected = nearest(called, CALLS)
            raise self.error(f"{called}() is not in the language; expected {expected}", node)
        function, least, most = FUNCTIONS[called]
        values = [self.number(argument) for argument in self.arguments(node, least, most)]
        source = f"{called}({', '.join(value.source for value in values)})"
        return apply(source, function, values)

    def _coalesce(self, node: ast.Call) -> Operand:
        first, second = self.arguments(node, 2, 2)
        operand, default = self.operand(first), self.fixed(self.operand(second))
        if self.fixed(operand) is not None:
            raise self.error("coalesce() needs a name first", first)
        if isinstance(operand, Number) and isinstance(default, float):
            source = f"coalesce({operand.source}, {constant(default).source})"
            return coalesce(source, operand, default)
        if isinstance(operand, TextOperand) and isinstance(default, str):
            source = f"coalesce({operand.source}, {default!r})"
            return TextOperand(source, operand.name, _first(operand.default, default))
        kind = "number" if isinstance(operand, Number) else "quoted text"
        raise self.error(f"coalesce() needs a constant {kind} second", second)


def _first(*defaults: str | None) -> str | None:
    return next((default for default in defaults if default is not None), None)


def _wrapped(operand: Number) -> str:
    return f"({operand.source})" if operand.compound else operand.source
