"""Declarations in YAML of which every value knows its file, line and field.

YAML here is the 1.2 core schema (`no` and `12:30` are text) without aliases, merge keys and
tags: a declaration is read by people, and an alias can blow a small file up without limit.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stream_app.domain.errors import DeclarationError, nearest
from stream_app.domain.yaml_tree import Tree, compose

MAX_BYTES: Final = 1_000_000
UNITS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
MAX_DURATION_MS: Final = 3_650 * UNITS_MS["d"]
_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_KINDS: Final = {dict: "a mapping", list: "a list", str: "text", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a declaration with its place.

    `value` is plain Python (dict, list, str, float, int, bool, None). `line` counts from 1 and
    is the line of the key for a value in a mapping.
    """

    value: Any
    file: str
    line: int
    field: str
    _children: tuple[tuple[str, Node], ...] = dataclasses.field(default=(), repr=False)

    def items(self) -> Iterator[tuple[str, Node]]:
        """Keys and values of a mapping in the order of the file."""
        self._expect(dict)
        return iter(self._children)

    def elements(self) -> Iterator[Node]:
        """Values of a list."""
        self._expect(list)
        return (child for _, child in self._children)

    def get(self, key: str) -> Node | None:
        """The value of `key` in a mapping, or None."""
        return next((child for name, child in self.items() if name == key), None)

    def error(self, message: str, expected: str = "") -> DeclarationError:
        """The error to raise when this value cannot be used."""
        return DeclarationError(self.file, self.line, self.field, message, expected)

    def text(self) -> str:
        """Text that is not empty."""
        self._expect(str)
        if not self.value.strip():
            raise self.error("is empty", "text")
        return str(self.value)

    def number(self) -> float:
        """A finite number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self.error(f"is {self._kind()}", "a number")
        if not math.isfinite(self.value):
            raise self.error("is not a finite number", "a number")
        return float(self.value)

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        expected = f"a whole number from {low} to {high}"
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.error(f"is {self._kind()}", expected)
        if not low <= self.value <= high:
            raise self.error(f"{self.value} is out of range", expected)
        return self.value

    def boolean(self) -> bool:
        """`true` or `false`."""
        self._expect(bool)
        return bool(self.value)

    def duration_ms(self) -> int:
        """A duration such as `90s`, `30m`, `24h` or `7d` in milliseconds, up to ten years."""
        expected = "a duration such as 30m, 24h or 7d"
        match = _DURATION.fullmatch(self.value) if isinstance(self.value, str) else None
        if match is None:
            raise self.error(f"{self._kind()} is not a duration", expected)
        milliseconds = int(match[1]) * UNITS_MS[match[2]]
        if milliseconds > MAX_DURATION_MS:
            raise self.error(f"{self.value} is too long", "at most 3650d")
        return milliseconds

    def one_of(self, allowed: Iterable[str]) -> str:
        """Text that is one of `allowed`."""
        names = list(allowed)
        text = self.text()
        if text not in names:
            raise self.error(f"{text!r} is not known", nearest(text, names))
        return text

    def check_keys(self, allowed: Iterable[str], required: Iterable[str] = ()) -> None:
        """Refuse a key that is not in `allowed`, and the lack of one that is `required`."""
        names = list(allowed)
        for key, child in self.items():
            if key not in names:
                raise child.error(f"unknown key {key!r}", nearest(key, names))
        for key in required:
            if self.get(key) is None:
                raise self.error(f"{key!r} is missing", f"the key {key!r}")

    def _expect(self, kind: type) -> None:
        if not isinstance(self.value, kind):
            raise self.error(f"is {self._kind()}", _KINDS[kind])

    def _kind(self) -> str:
        if self.value is None:
            return "empty"
        if isinstance(self.value, bool):
            return str(self.value).lower()
        if isinstance(self.value, str):
            return f"text ({self.value[:40]!r})"
        if isinstance(self.value, int | float):
            return f"a number ({self.value})"
        return _KINDS[type(self.value)]


def load(path: Path) -> Node:
    """Read a declaration; raises DeclarationError when it cannot be read or is not YAML."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DeclarationError(file, 1, "", f"cannot be read: {reason}", "a YAML file") from error
    if len(data) > MAX_BYTES:
        raise DeclarationError(file, 1, "", "is too large", f"at most {MAX_BYTES:,} bytes")
    try:
        return loads(data.decode("utf-8-sig"), file)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DeclarationError(file, line, "", "is not UTF-8", "text in UTF-8") from error


def loads(text: str, file: str = "(text)") -> Node:
    """Like `load`, for text that is already there; `file` is what errors call it."""
    return _node(compose(text, file), file)


def _node(tree: Tree, file: str) -> Node:
    children = tuple((str(key), _node(child, file)) for key, child in tree.children)
    return Node(tree.plain(), file, tree.line, tree.field, children)
