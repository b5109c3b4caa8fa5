"""The rule language once more, for one user at a time: three-valued logic by plain Python.

Unknown is None, for truth as for numbers. Nothing here is shared with the program.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda value, among: value in among,
    ast.NotIn: lambda value, among: value not in among,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {"abs": abs, "min": min, "max": max}


def truth(source: str, values: Mapping[str, Any]) -> bool | None:
    """Is `source` true of `values` (name to number, text or None)? None when it can't be known.

    A quantile of all users is a value as well, by its name q90.spend_30d, and None where it is not.
    """
    return _truth(_parsed(source), values)


@cache
def _parsed(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


@cache
def names(source: str) -> set[str]:
    """Every variable that `source` reads."""
    tree = _parsed(source)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    ranks = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    plain = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {node.id for node in plain if id(node) not in called | ranks}


@cache
def quantiles(source: str) -> set[str]:
    """Every quantile of all users that `source` reads, such as q90.spend_30d."""
    tree = ast.walk(_parsed(source))
    return {ast.unparse(node) for node in tree if isinstance(node, ast.Attribute)}


def _truth(node: ast.expr, values: Mapping[str, Any]) -> bool | None:
    match node:
        case ast.BoolOp(op=op, values=parts):
            return _kleene(op, [_truth(part, values) for part in parts])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _truth(operand, values)
            return None if inner is None else not inner
        case ast.Compare():
            return _chain(node, values)
    value = _value(node, values)
    return None if value is None else value != 0


def _kleene(op: ast.boolop, parts: list[bool | None]) -> bool | None:
    decisive = isinstance(op, ast.Or)
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive


def _chain(node: ast.Compare, values: Mapping[str, Any]) -> bool | None:
    operands = [_value(part, values) for part in (node.left, *node.comparators)]
    links: list[bool | None] = []
    for op, left, right in zip(node.ops, operands, operands[1:], strict=False):
        known = left is not None and right is not None
        links.append(_COMPARE[type(op)](left, right) if known else None)
    return _kleene(ast.And(), links)


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=constant):
            return constant
        case ast.Name(id=name):
            return values[name]
        case ast.Attribute():
            return values.get(ast.unparse(node))
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return [_value(element, values) for element in elements]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _value(operand, values)
            return None if inner is None else -inner
        case ast.BinOp(left=left, op=op, right=right):
            return _arithmetic(op, _value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=function), args=arguments):
            return _call(function, [_value(argument, values) for argument in arguments])
    return _truth(node, values)


def _arithmetic(op: ast.operator, left: float | None, right: float | None) -> float | None:
    if left is None or right is None or (isinstance(op, ast.Div) and right == 0):
        return None
    return _ARITHMETIC[type(op)](left, right)


def _call(function: str, arguments: list[Any]) -> Any:
    if function == "has":
        return arguments[0] is not None
    if function == "coalesce":
        return arguments[1] if arguments[0] is None else arguments[0]
    if None in arguments:
        return None
    return _FUNCTIONS[function](*arguments)
