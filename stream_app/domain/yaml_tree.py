"""YAML text → a tree of plain values with lines, by the core schema of YAML 1.2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from stream_app.domain.errors import DeclarationError

MAX_DEPTH: Final = 20
Key = str | int
_TAG: Final = "tag:yaml.org,2002:"
_MAX_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Tree:
    """A scalar's `value`, or the children of a mapping (by name) or a list (by index).

    `field` is the path from the root: `tags.big_spender.when`, `features.basket.ratio[1]`.
    """

    kind: str
    line: int
    field: str
    value: Any = None
    children: tuple[tuple[Key, Tree], ...] = ()

    def plain(self) -> Any:
        """The value as dict, list or scalar."""
        if self.kind == "map":
            return {key: child.plain() for key, child in self.children}
        if self.kind == "seq":
            return [child.plain() for _, child in self.children]
        return self.value


class _Refused(Exception):
    def __init__(self, line: int, message: str, expected: str, field: str = "") -> None:
        super().__init__(message)
        self.line, self.message, self.expected, self.field = line, message, expected, field


class _Loader(yaml.SafeLoader):
    """Resolves scalars as YAML 1.2 does; refuses aliases before they are expanded."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own declaration
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(line, f"alias *{event.anchor} is not allowed", "the value written out")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Refused(line, "is nested too deeply", f"at most {MAX_DEPTH} levels")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _resolve(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(_TAG + tag, re.compile(rf"(?:{pattern})\Z"), list(first))


_resolve("null", r"~|null|Null|NULL|", "~nN")
_Loader.yaml_implicit_resolvers[""] = list(_Loader.yaml_implicit_resolvers["~"])
_resolve("bool", r"true|True|TRUE|false|False|FALSE", "tTfF")
_resolve("int", r"[-+]?[0-9]+", "-+0123456789")
_resolve(
    "float",
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "-+.0123456789",
)


def compose(text: str, file: str) -> Tree:
    """Parse one YAML document; DeclarationError on syntax, aliases, bad or repeated keys."""
    try:
        root = yaml.compose(text, Loader=_Loader)
        if root is None:
            raise DeclarationError(file, 1, "", "is empty", "a mapping")
        return _tree(root, root.start_mark.line + 1, "")
    except _Refused as error:
        raise DeclarationError(
            file, error.line, error.field, error.message, error.expected
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"character U+{ord(text[error.position]):04X} is not allowed"
        raise DeclarationError(file, line, "", message, "printable text") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        message = f"is not YAML: {error.problem or error.context}"
        expected = "spaces for indentation" if "'\\t'" in message else ""
        raise DeclarationError(file, line, "", message, expected) from error


def _tree(node: yaml.Node, line: int, field: str) -> Tree:
    tag = node.tag.removeprefix(_TAG)
    if isinstance(node, yaml.MappingNode) and tag == "map":
        return Tree("map", line, field, children=_mapping(node, field))
    if isinstance(node, yaml.SequenceNode) and tag == "seq":
        return Tree("seq", line, field, children=_sequence(node, field))
    if isinstance(node, yaml.ScalarNode) and tag in _SCALARS:
        try:
            return Tree(tag, line, field, _SCALARS[tag](node.value))
        except ValueError:
            message = f"{node.value[:40]!r} is not {tag}"
            raise _Refused(line, message, f"a value of {tag}", field) from None
    raise _Refused(line, f"tag {node.tag!r} is not allowed", "a plain value", field)


def _sequence(node: yaml.SequenceNode, field: str) -> tuple[tuple[int, Tree], ...]:
    return tuple(
        (index, _tree(child, child.start_mark.line + 1, f"{field}[{index}]"))
        for index, child in enumerate(node.value)
    )


def _mapping(node: yaml.MappingNode, field: str) -> tuple[tuple[str, Tree], ...]:
    seen: dict[str, int] = {}
    children = []
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.tag != _TAG + "str":
            shown = key.value if isinstance(key.value, str) else "of several values"
            message = f"key {shown} is not text"
            raise _Refused(line, message, "a name; quote it if it is one", field)
        path = f"{field}.{key.value}" if field else key.value
        if key.value in seen:
            message = f"key {key.value!r} is already on line {seen[key.value]}"
            raise _Refused(line, message, "each key once", path)
        seen[key.value] = line
        children.append((key.value, _tree(value, line, path)))
    return tuple(children)


def _integer(text: str) -> int | float:
    # Of more digits only the size matters: it is refused as out of range, or as not finite.
    return int(text) if len(text) <= _MAX_DIGITS else float(text)


def _float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS: Final[dict[str, Any]] = {
    "null": lambda text: None,
    "bool": lambda text: text.lower() == "true",
    "int": _integer,
    "float": _float,
    "str": str,
}
