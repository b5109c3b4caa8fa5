"""A parsed condition with what its users ask of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from stream_app.domain.because import Because
from stream_app.domain.expression.columns import Bools, Environment, Frame
from stream_app.domain.expression.conditions import Condition, Junction, Leaf, Not
from stream_app.domain.expression.leaves import Compare, Has, Member, TextEqual, TextMember
from stream_app.domain.expression.operands import ExpressionError, Number, constant
from stream_app.domain.expression.parse import parse_condition


class Truth(NamedTuple):
    """Where a condition is true, and where it is false; neither means unknown. bool (n,) each."""

    t: Bools
    f: Bools


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition over named columns.

    `names` are the columns, at least one; `quantiles` those of all users that it compares with
    ("q90.spend_30d"). `thresholds` are the constants that a name is compared to directly (also
    through `coalesce`), `moving` what quantiles make that a name is compared to likewise; `opaque`
    the number names that are used in any other way than these or in `has`.
    """

    source: str
    names: frozenset[str]
    quantiles: frozenset[str]
    leaves: tuple[Leaf, ...] = field(repr=False)
    thresholds: tuple[tuple[str, float], ...]
    moving: tuple[tuple[str, Number], ...]
    opaque: frozenset[str]
    root: Condition = field(repr=False)

    def evaluate(self, environment: Environment | Frame) -> Truth:
        """True and false rows, in three-valued logic."""
        frame = Frame.of(environment)
        return Truth(self.root.side(frame, True), self.root.side(frame, False))

    def true(self, environment: Environment | Frame) -> Bools:
        """Where it is true; cheaper than `evaluate`."""
        return self.root.side(Frame.of(environment), True)

    def explain(self, environment: Environment | Frame, row: int, truth: bool) -> list[Because]:
        """Comparisons that made `row` true (`truth`), or not true, in the order of the source."""
        found: list[Because] = []
        self.root.explain(Frame.of(environment), row, True, truth, found)
        return found


def parse(source: str, kinds: Mapping[str, str], *, quantiles: bool = False) -> Expression:
    """Compile a condition over names of the given kinds ("number", "text").

    With `quantiles` it may name quantiles of all users, such as q90.spend_30d. Raises
    ExpressionError for whatever is not in the language: see docs/rules.md.
    """
    root = parse_condition(source, kinds, quantiles)
    leaves = tuple(_leaves(root))
    names: set[str] = set()
    opaque: set[str] = set()
    direct: set[tuple[str, Number]] = set()
    for leaf in leaves:
        names |= _names(leaf)
        found = _thresholds(leaf)
        direct |= set(found or ())
        if found is None:
            opaque |= {name for name in _names(leaf) if kinds[name] == "number"}
    if not names:
        raise ExpressionError("compares no feature of the user; expected at least one", 1)
    return Expression(
        source=source,
        names=frozenset(names),
        quantiles=frozenset[str]().union(*map(_quantiles, leaves)),
        leaves=leaves,
        thresholds=tuple(sorted((n, t.constant) for n, t in direct if t.constant is not None)),
        moving=tuple(sorted((one for one in direct if one[1].quantiles), key=_by_source)),
        opaque=frozenset(opaque),
        root=root,
    )


def _leaves(node: Condition) -> Iterator[Leaf]:
    if isinstance(node, Junction):
        for child in node.children:
            yield from _leaves(child)
    elif isinstance(node, Not):
        yield from _leaves(node.child)
    elif isinstance(node, Leaf):
        yield node


def _names(leaf: Leaf) -> set[str]:
    match leaf:
        case Compare(left=left, right=right):
            return {*left.names, *right.names}
        case TextEqual(left=left, right=right):
            return {left.name, right.name}
        case Member(operand=operand) | TextMember(operand=operand) | Has(operand=operand):
            return set(operand.names) if isinstance(operand, Number) else {operand.name}
    raise TypeError(leaf)


def _quantiles(leaf: Leaf) -> frozenset[str]:
    match leaf:
        case Compare(left=left, right=right):
            return left.quantiles | right.quantiles
        case Member(operand=operand) | Has(operand=Number() as operand):
            return operand.quantiles
    return frozenset()


def _thresholds(leaf: Leaf) -> list[tuple[str, Number]] | None:
    """Numbers for all rows, by name; None when the leaf depends on its names in another way."""
    match leaf:
        case Compare(left=Number(direct=str(name)), right=right) if not right.names:
            return [(name, right)]
        case Compare(left=left, right=right) if not left.names | right.names:
            return []
        case Member(operand=Number(direct=str(name)), constants=constants):
            return [(name, constant(one)) for one in constants]
        case TextMember() | TextEqual() | Has(operand=Number(direct=str())):
            return []
        case Has(operand=operand) if not isinstance(operand, Number):
            return []
    return None


def _by_source(direct: tuple[str, Number]) -> tuple[str, str]:
    return direct[0], direct[1].source
