"""Python expression syntax → conditions, through a whitelist of its nodes."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from typing import Final

from stream_app.domain.expression.conditions import Condition, Junction, Not
from stream_app.domain.expression.leaves import Compare, Has, Member, TextEqual, TextMember
from stream_app.domain.expression.operands import ExpressionError, Number, TextOperand, constant
from stream_app.domain.expression.parse_operand import Operand, Operands

MAX_LENGTH: Final = 2_000
_OPS: Final[dict[type[ast.cmpop], str]] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def parse_condition(source: str, kinds: Mapping[str, str], quantiles: bool) -> Condition:
    """Parse a condition, which may name `quantiles` or not; raises ExpressionError."""
    if len(source) > MAX_LENGTH:
        raise ExpressionError(f"is longer than {MAX_LENGTH} characters", MAX_LENGTH)
    # Joining the lines would let a comment swallow all that follows it.
    if "\n" in source.strip() and "#" in source:
        raise ExpressionError("a comment is not allowed inside an expression", source.find("#"))
    text = source.replace("\n", " ").strip()
    if not text:
        raise ExpressionError("is empty; expected a condition", 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        # Python says 0 when the text ends too early.
        column = error.offset or len(text) + 1
        raise ExpressionError(_syntax(error.msg, text[column - 1 :]), column) from None
    except (ValueError, RecursionError, MemoryError, OverflowError):
        raise ExpressionError("is not an expression that can be read", 1) from None
    return _Conditions(Operands(text, kinds, quantiles)).condition(tree.body)


def _syntax(message: str, rest: str) -> str:
    hints = {"=": "; did you mean ==?", "&": "; did you mean `and`?", "|": "; did you mean `or`?"}
    near = f" at {rest[:20]!r}" if rest else " at the end"
    return f"cannot be read{near}: {message}{hints.get(rest[:1], '')}"


class _Conditions:
    def __init__(self, operands: Operands) -> None:
        self.operands = operands
        self.error = operands.error

    def condition(self, node: ast.expr) -> Condition:
        with self.operands.deeper(node):
            return self._condition(node)

    def _condition(self, node: ast.expr) -> Condition:
        match node:
            case ast.BoolOp(op=op, values=values):
                return _junction(isinstance(op, ast.And), [self.condition(v) for v in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                child = self.condition(operand)
                return Not(f"not ({child.key})", child)
            case ast.Compare():
                return self._chain(node)
            case ast.Call(func=ast.Name(id="has")):
                (argument,) = self.operands.arguments(node, 1, 1)
                present = self.operands.operand(argument)
                if isinstance(present, str) or self.operands.fixed(present) is not None:
                    raise self.error("has() needs a name", argument)
                return Has(f"has({present.source})", present)
            case ast.Name():
                return self._bare(node)
        raise self._not_a_condition(node)

    def _bare(self, node: ast.Name) -> Condition:
        operand = self.operands.operand(node)
        if not isinstance(operand, Number):
            message = f"{node.id} is text, not a condition; compare it, as in {node.id} == 'x'"
            raise self.error(message, node)
        return Compare(f"{node.id} != 0", operand, "!=", constant(0.0))

    def _not_a_condition(self, node: ast.expr) -> ExpressionError:
        if isinstance(node, ast.Constant):
            return self.error("a constant is not a condition; expected a comparison", node)
        operand = self.operands.operand(node)
        source = operand if isinstance(operand, str) else operand.source
        return self.error(f"{source} is not a condition; compare it, as in {source} > 0", node)

    def _chain(self, node: ast.Compare) -> Condition:
        operands = [node.left, *node.comparators]
        if any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            raise self.error("`is` is not in the language; use == or has(name)", node)
        links = [
            self._compare(left, _OPS[type(op)], right, node)
            for left, op, right in zip(operands, node.ops, operands[1:], strict=False)
        ]
        return links[0] if len(links) == 1 else _junction(True, links)

    def _compare(self, left: ast.expr, op: str, right: ast.expr, node: ast.expr) -> Condition:
        first = self.operands.operand(left)
        if op in {"in", "not in"}:
            return self._member(first, op, right, left)
        second = self.operands.operand(right)
        if not (_varies(first) or _varies(second)):
            raise self.error("compares two constants; expected a name on one side", node)
        if _varies(first) < _varies(second):
            first, second, op = second, first, _MIRRORED[op]
        if isinstance(first, Number) and isinstance(second, Number):
            return Compare(f"{first.source} {op} {second.source}", first, op, second)
        return self._compare_text(first, op, second, node)

    def _compare_text(self, first: Operand, op: str, second: Operand, node: ast.expr) -> Condition:
        if isinstance(first, Number) or isinstance(second, Number):
            number, text = (first, second) if isinstance(first, Number) else (second, first)
            shown = repr(text) if isinstance(text, str) else getattr(text, "source", "")
            source = getattr(number, "source", "")
            raise self.error(f"{shown} is text and {source} is a number: not comparable", node)
        if op not in {"==", "!="}:
            raise self.error(f"text has no order: {op} is for numbers; expected == or !=", node)
        assert isinstance(first, TextOperand)
        if isinstance(second, str):
            return TextMember(f"{first.source} {op} {second!r}", first, op, (second,))
        if first.default is not None or second.default is not None:
            raise self.error("coalesce() of text can be compared to quoted text only", node)
        return TextEqual(f"{first.source} {op} {second.source}", first, op, second)

    def _member(self, first: Operand, op: str, right: ast.expr, left: ast.expr) -> Condition:
        if isinstance(first, str) or self.operands.fixed(first) is not None:
            raise self.error(f"expected a name before {op!r}", left)
        if not isinstance(right, ast.Tuple | ast.List) or not right.elts:
            raise self.error(f"expected a list such as ('a', 'b') after {op!r}", right)
        constants = [self.operands.fixed(self.operands.operand(item)) for item in right.elts]
        wanted = float if isinstance(first, Number) else str
        for value, item in zip(constants, right.elts, strict=True):
            if not isinstance(value, wanted):
                kind = "constant numbers" if wanted is float else "quoted texts"
                raise self.error(f"{first.source} can be in a list of {kind} only", item)
        key = f"{first.source} {op} {constants!r}"
        if isinstance(first, Number):
            return Member(key, first, op, tuple(c for c in constants if isinstance(c, float)))
        return TextMember(key, first, op, tuple(c for c in constants if isinstance(c, str)))


def _varies(operand: Operand) -> int:
    """0 for a constant, 1 for what is one number for all rows, 2 for what rows have each."""
    if isinstance(operand, Number):
        return 2 if operand.names else 1 if operand.quantiles else 0
    return 0 if isinstance(operand, str) else 2


def _junction(every: bool, children: list[Condition]) -> Condition:
    word = " and " if every else " or "
    return Junction(word.join(f"({child.key})" for child in children), every, tuple(children))
