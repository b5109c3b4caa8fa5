"""The catalogue's `tags:` section → checked declarations."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Literal, NamedTuple

import msgspec

from stream_app.domain.changes import TagClass
from stream_app.domain.errors import nearest
from stream_app.domain.expression import Expression, ExpressionError, parse
from stream_app.domain.source import Node
from stream_app.tagging.classes import MODEL_CLASSES, RULE_CLASSES
from stream_app.tagging.codes import LIST_CAPACITY, value_code

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_FORMS: Final = {
    "when": ("until", "hold", "expires"),
    "values": ("hold", "expires"),
    "list": ("top", "min_share", "hold"),
}
_KEYS: Final = tuple(dict.fromkeys([*_FORMS, *(key for keys in _FORMS.values() for key in keys)]))
_MAX_VALUE: Final = 64


@dataclass(frozen=True, slots=True)
class Flag:
    """A tag that is there or not."""

    when: Expression
    until: Expression | None = None


@dataclass(frozen=True, slots=True)
class Valued:
    """A tag with one of several values: the first case that is true."""

    cases: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A tag whose value is a list: the `top` entries of a list feature from `min_share` on."""

    feature: str
    top: int
    min_share: float


@dataclass(frozen=True, slots=True)
class Learned:
    """A tag that a model decides: one of `bands`, from low to high; without any a flag.

    Of `source` "segment" it is the id of one. `among` says who can have it, `inputs` are the
    features that the model looks at.
    """

    source: Literal["model", "segment"]
    bands: tuple[str, ...]
    among: Expression | None
    inputs: frozenset[str]


Form = Flag | Valued | Listed | Learned


@dataclass(frozen=True, slots=True)
class TagDeclaration:
    """A declared tag; durations in milliseconds, 0 for none. `revision` is 8 hex digits."""

    name: str
    cls: TagClass
    description: str
    form: Form
    hold_ms: int
    expires_ms: int
    revision: str

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Every condition of the tag."""
        match self.form:
            case Flag(when=when, until=until):
                return (when,) if until is None else (when, until)
            case Valued(cases=cases):
                return tuple(expression for _, expression in cases)
            case Learned(among=among):
                return () if among is None else (among,)
        return ()

    @property
    def features(self) -> frozenset[str]:
        """Names of the features that decide the tag."""
        if isinstance(self.form, Listed):
            return frozenset((self.form.feature,))
        inputs = self.form.inputs if isinstance(self.form, Learned) else frozenset[str]()
        return inputs.union(*(expression.names for expression in self.expressions))

    @property
    def quantiles(self) -> frozenset[str]:
        """Quantiles of all users that the tag's conditions name, such as q90.spend_30d."""
        return frozenset[str]().union(*(expression.quantiles for expression in self.expressions))


class _Known(NamedTuple):
    """The features by kind, and whether models tell their quantiles."""

    kinds: Mapping[str, str]
    quantiles: bool


def declare(
    node: Node, kinds: Mapping[str, str], *, quantiles: bool = True
) -> dict[str, TagDeclaration]:
    """Read `tags:`; `kinds` are those of the features. Raises DeclarationError.

    Without `quantiles` no model tells any, and a condition that names one is refused.
    """
    known = _Known(kinds, quantiles)
    return {name: _tag(name, tag, known) for name, tag in node.items()}


def revision(node: Node) -> str:
    """8 hex digits of what a declaration says."""
    return blake2b(msgspec.json.encode(node.value), digest_size=4).hexdigest()


def _tag(name: str, node: Node, known: _Known) -> TagDeclaration:
    if not _NAME.fullmatch(name):
        expected = "small letters, digits and _, at most 63, a letter first"
        raise node.error(f"{name!r} is not a name for a tag", expected)
    node.check_keys(("class", "description", *_KEYS), required=("class",))
    form = _form(node)
    rule = _RULES[form](node, known)
    hold, expires = _duration(node, "hold"), _duration(node, "expires")
    if expires and expires <= hold:
        raise _child(node, "expires").error("ends the tag within its hold", "more than `hold`")
    description = node.get("description")
    text = description.text() if description else ""
    cls = _class(_child(node, "class"))
    return TagDeclaration(name, cls, text, rule, hold, expires, revision(node))


def _form(node: Node) -> str:
    forms = [form for form in _FORMS if node.get(form)]
    if "when" not in forms and (until := node.get("until")):
        raise until.error("`until` ends what `when` began, and there is none", "`when` beside it")
    if len(forms) != 1:
        problem = "has no rule" if not forms else "has several rules: " + ", ".join(forms)
        raise node.error(problem, "one of when, values, list")
    for key in _KEYS:
        child = node.get(key)
        if child and key not in (*forms, *_FORMS[forms[0]]):
            raise child.error(
                f"{key!r} does not go with {forms[0]!r}", f"one of {', '.join(_FORMS[forms[0]])}"
            )
    return forms[0]


def _child(node: Node, key: str) -> Node:
    child = node.get(key)
    if child is None:
        raise node.error(f"{key!r} is missing")
    return child


def _class(node: Node) -> TagClass:
    if node.value in MODEL_CLASSES:
        message = f"tags of class {node.value!r} are made by models, not by rules"
        raise node.error(message, "one of " + ", ".join(RULE_CLASSES))
    return next(name for name in RULE_CLASSES if name == node.one_of(RULE_CLASSES))


def _duration(node: Node, key: str) -> int:
    child = node.get(key)
    return child.duration_ms() if child else 0


def _condition(node: Node, known: _Known) -> Expression:
    if not isinstance(node.value, str):
        raise node.error("is not a condition", "an expression such as spend_30d > 200")
    try:
        condition = parse(node.value, known.kinds, quantiles=True)
    except ExpressionError as error:
        raise node.error(f"{error.message} (column {error.column} of the expression)") from error
    if condition.quantiles and not known.quantiles:
        problem = f"nothing tells {', '.join(sorted(condition.quantiles))}"
        raise node.error(problem, "`segments` under `learning:`, whose samples quantiles are of")
    return condition


def _flag(node: Node, known: _Known) -> Flag:
    until = node.get("until")
    when = _condition(_child(node, "when"), known)
    return Flag(when, _condition(until, known) if until else None)


def _valued(node: Node, known: _Known) -> Valued:
    values = _child(node, "values")
    cases: dict[int, tuple[str, Expression]] = {}
    for name, case in values.items():
        if not name.strip() or len(name) > _MAX_VALUE:
            raise case.error(f"{name!r} is not a value", f"text of 1 to {_MAX_VALUE} characters")
        code = value_code(name)
        if code in cases:
            raise case.error(f"{name!r} cannot be told from {cases[code][0]!r}", "another name")
        cases[code] = (name, _condition(case, known))
    if not cases:
        raise values.error("has no values", "a condition for each value")
    return Valued(tuple(cases.values()))


def _listed(node: Node, known: _Known) -> Listed:
    kinds = known.kinds
    source, top, share = _child(node, "list"), node.get("top"), node.get("min_share")
    feature = source.text()
    if kinds.get(feature) != "list":
        lists = [name for name, kind in kinds.items() if kind == "list"]
        problem = f"{feature!r} is not a list feature" if feature in kinds else f"no {feature!r}"
        raise source.error(problem, nearest(feature, lists))
    least = share.number() if share else 0.0
    if share and not 0 <= least <= 1:
        raise share.error(f"{least} is out of range", "a share from 0 to 1")
    return Listed(feature, top.integer(1, LIST_CAPACITY) if top else 3, least)


_Reader = Callable[[Node, _Known], Flag | Valued | Listed]
_RULES: Final[dict[str, _Reader]] = {"when": _flag, "values": _valued, "list": _listed}
