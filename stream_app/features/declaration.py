"""What a feature's declaration says, and reading the catalogue's `features:` section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from keyword import iskeyword
from typing import Final

from stream_app.domain.errors import nearest
from stream_app.domain.source import Node
from stream_app.features.kinds import KINDS
from stream_app.features.selectors import Source
from stream_app.features.windows import Window

NO_SOURCE: Final = Source(())
NO_WINDOW: Final = Window(0, 0)
#: Kinds whose values are no numbers.
TEXT_KINDS: Final = frozenset({"last", "usual", "top"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One feature as declared; which members say something depends on `kind`.

    `weights` has an entry an event type; `of` names numerator and denominator of a ratio.
    """

    name: str
    kind: str
    source: Source = NO_SOURCE
    window: Window = NO_WINDOW
    half_life_ms: int = 0
    weights: tuple[float, ...] = ()
    of: tuple[str, str] = ("", "")
    unit_ms: int = 0


def declare(node: Node) -> dict[str, Declaration]:
    """Features by name in declared order; raises DeclarationError with file, line and field."""
    declarations = {name: _feature(name, child) for name, child in node.items()}
    for name, child in node.items():
        _check_ratio(name, child, declarations)
    return declarations


def _feature(name: str, node: Node) -> Declaration:
    if not name.isidentifier() or iskeyword(name):
        raise node.error(f"{name!r} cannot be used in an expression", "letters, digits and _")
    kinds = [key for key, _ in node.items() if key in KINDS]
    if not kinds:
        keys = [key for key, _ in node.items()]
        expected = nearest(keys[0], KINDS) if keys else "one of " + ", ".join(sorted(KINDS))
        raise node.error("says not what to measure", expected)
    kind = kinds[0]
    allowed, required, read = KINDS[kind]
    node.check_keys({kind, *allowed}, required)
    given = dict(node.items())
    members = read(given[kind], given)
    return Declaration(name=name, kind=kind, **members)


def _check_ratio(name: str, node: Node, declarations: Mapping[str, Declaration]) -> None:
    pending, seen = [name], set[str]()
    while pending:
        current = declarations[pending.pop()]
        for part in current.of if current.kind == "ratio" else ():
            if part == name:
                raise node.error("is a ratio of itself")
            if part not in declarations:
                raise node.error(f"unknown feature {part!r}", nearest(part, declarations))
            if declarations[part].kind in TEXT_KINDS:
                raise node.error(f"{part!r} is not a number", "features that are numbers")
            if part not in seen:
                seen.add(part)
                pending.append(part)
