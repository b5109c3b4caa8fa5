"""What can be wrong with a declaration, and why an event can be refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum


class DeclarationError(Exception):
    """A declared file that cannot be used: `str()` is `FILE:LINE: FIELD: message; expected …`.

    `line` counts from 1; `field` is a dotted path such as `tags.big_spender.when`, or empty.
    """

    def __init__(self, file: str, line: int, field: str, message: str, expected: str = "") -> None:
        super().__init__(file, line, field, message, expected)
        self.file = file
        self.line = line
        self.field = field
        self.message = message
        self.expected = expected

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        expected = f"; expected {self.expected}" if self.expected else ""
        return f"{self.file}:{self.line}: {field}{self.message}{expected}"


class Reason(StrEnum):
    """Why an event went to the dead letters."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    UNKNOWN_TYPE = "unknown_type"
    WRONG_TOPIC = "wrong_topic"
    TOO_LARGE = "too_large"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    UNDECLARED_CURRENCY = "undeclared_currency"
    FUTURE = "future"
    TOO_OLD = "too_old"
    MISROUTED = "misrouted"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A refused record: `position` is its index in the list of `topic`'s records as given."""

    topic: int
    position: int
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A sound record of a user who belongs to `partition`, not to where it was read.

    `topic` and `position` as in Rejected.
    """

    topic: int
    position: int
    user: str
    partition: int


def nearest(name: str, allowed: Iterable[str], limit: int = 12) -> str:
    """What to say was expected in place of `name`: the closest name, or else a list of them."""
    names = sorted(allowed)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"{close[0]!r} (did you mean that?)"
    if not names:
        return "nothing: no name is declared"
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return "one of " + ", ".join(names[:limit]) + more
