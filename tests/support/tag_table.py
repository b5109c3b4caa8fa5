"""A few users' tags over declared rules: what tests decide on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.expression import Text
from stream_app.domain.layout import Layout
from stream_app.domain.source import loads
from stream_app.tagging import BoundTags, Decision, Decisions, Tags, compile_tags, declare

SECOND: Final = 1_000
HOUR: Final = 3_600 * SECOND
DAY: Final = 24 * HOUR
#: A moment on a whole second.
START: Final = 1_700_000_000 * SECOND

KINDS: Final = {"x": "number", "y": "number", "city": "text", "tops": "list"}
#: Texts by dictionary code; 0 stands for none.
TEXTS: Final = ["", "shoes", "hats", "bags", "toys", "Oslo", "Rome"]


@dataclass(frozen=True)
class Weighted:
    """A list feature: dictionary codes and shares (n, 8), the heaviest first."""

    codes: NDArray[np.int32]
    shares: NDArray[np.float64]
    values: Sequence[str]


def numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def cities(names: Sequence[str | None]) -> Text:
    return Text(np.array([-1 if n is None else TEXTS.index(n) for n in names], np.int32), TEXTS)


def weighted(users: Sequence[dict[str, float]]) -> Weighted:
    codes, shares = np.zeros((len(users), 8), np.int32), np.full((len(users), 8), np.nan)
    for row, user in enumerate(users):
        ranked = sorted(user.items(), key=lambda item: -item[1])
        for place, (name, share) in enumerate(ranked):
            codes[row, place], shares[row, place] = TEXTS.index(name), share
    return Weighted(codes, shares, TEXTS)


@cache
def compiled(text: str) -> Tags:
    return compile_tags(declare(loads(text, "tags.yaml"), KINDS), KINDS)


class Table:
    """`users` rows with the tags that `text` declares."""

    def __init__(self, text: str, users: int = 1) -> None:
        self.tags = compiled(text)
        self.layout = Layout.of(self.tags.fields)
        self.bound: BoundTags = self.tags.bind(self.layout)
        self.rows = self.layout.blank(users)

    def decide(
        self, now: int, quantiles: Mapping[str, float] | None = None, **columns: Any
    ) -> Decisions:
        """Decide on feature columns; lists are taken for number columns."""
        values = {k: numbers(v) if isinstance(v, list) else v for k, v in columns.items()}
        return self.bound.decide(self.rows, values, now, TEXTS, quantiles=quantiles or {})

    def changes(self, now: int, **columns: Any) -> list[Decision]:
        return self.decide(now, **columns).changes

    def values(self) -> list[dict[str, Any]]:
        """The tags of each user by name."""
        states = self.bound.states(self.rows, TEXTS)
        return [{tag: status["value"] for tag, status in state.items()} for state in states]


def shown(decision: Decision) -> str:
    """A change in a line: what happened, and the comparisons behind it."""
    because = ", ".join(f"{c.feature} {c.value} {c.op} {c.threshold}" for c in decision.because)
    change = f"{decision.tag} {decision.previous} -> {decision.value}"
    return f"{decision.action} {change} ({decision.source_kind}: {because})"
