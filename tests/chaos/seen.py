"""What the checks have looked at, for the verdict; and what later checks need of earlier ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chaos.changelog import Positions, Row

Tags = dict[str, Any]


class Span(NamedTuple):
    """A life as rows tell it: when it began, and how many changes of tags it had at least."""

    born: int
    version: int


@dataclass
class Chain:
    """The changes of one life of a user: his tags after each of them."""

    born: int
    tags: list[Tags] = field(default_factory=lambda: [{}])

    @property
    def version(self) -> int:
        return len(self.tags) - 1


@dataclass
class Seen:
    """Filled by one check after the other."""

    counts: Counter[str] = field(default_factory=Counter)
    #: Of each user who is there, his last row, and where it is; of all, their lives in order.
    rows: dict[str, tuple[int, Row]] = field(default_factory=dict)
    lives: defaultdict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))
    #: How far each partition says that it has folded; partition time at the end; and what it was
    #: before the number of partitions changed, and after it.
    following: list[Positions] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    breaks: list[list[tuple[int, int]]] = field(default_factory=list)
    #: Of each user, the chains of changes of his lives.
    chains: dict[str, list[Chain]] = field(default_factory=dict)

    def living(self, user: str) -> Span | None:
        """The life of a user who is there."""
        lives = self.lives.get(user)
        return lives[-1] if lives and user in self.rows else None
