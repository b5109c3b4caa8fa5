"""Conditions on events (`where`): which columns they may name, and how they are evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import MISSING
from stream_app.domain.expression import Expression, parse
from stream_app.features.localtime import LocalTime, hour_of, weekday_of
from stream_app.features.selectors import (
    GROUPS,
    ITEM_FIELDS,
    MONEY_FIELDS,
    NUMBER_FIELDS,
    TEXT_FIELDS,
    Source,
)
from stream_app.features.units import TYPE_TABLE_SIZE, Events, Frame

CLOCK_WORDS: Final = ("hour", "weekday", "night", "weekend")
WORDS: Final = (*CLOCK_WORDS, "mobile", "discounted")
KINDS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(sorted(TEXT_FIELDS), "text"),
    **dict.fromkeys(sorted(NUMBER_FIELDS), "number"),
    **dict.fromkeys(WORDS, "number"),
}
MOBILE_DEVICES: Final = frozenset({"mobile", "tablet"})
#: Columns behind the words.
_BEHIND: Final = {"mobile": ("device",), "discounted": ("discount", "coupon")}


@dataclass(frozen=True)
class Conditions:
    """What conditions need to know of the shop."""

    local_time: LocalTime
    night: tuple[int, int]
    minor_per_major: float


def condition(text: str) -> Expression:
    """The expression over event columns; raises ExpressionError."""
    return parse(text, KINDS)


def columns_of(expression: Expression) -> set[str]:
    """The batch columns that an expression reads."""
    names: set[str] = set()
    for name in expression.names:
        names.update(_BEHIND.get(name, () if name in CLOCK_WORDS else (name,)))
    return names


class Selection:
    """Positions of the units that a source takes from a batch, each worked out once."""

    def __init__(
        self, frame: Frame, conditions: Conditions, expressions: Mapping[str, Expression]
    ) -> None:
        self._frame = frame
        self._conditions = conditions
        self._expressions = expressions
        self._done: dict[Source, NDArray[np.intp]] = {}
        self._local: NDArray[np.int64] | None = None

    def units(self, source: Source) -> Events:
        """The level that a source counts at."""
        return self._frame.items if source.by_item else self._frame.events

    def positions(self, source: Source) -> NDArray[np.intp]:
        """Positions of a source's units at its level, ascending."""
        if source not in self._done:
            self._done[source] = self._select(source)
        return self._done[source]

    def _select(self, source: Source) -> NDArray[np.intp]:
        units = self.units(source)
        mask = type_table(source.types)[units.type]
        if source.field:
            mask &= units.present(source.field)
        if not source.where:
            return mask.nonzero()[0]
        expression = self._expressions[source.where]
        if not source.by_item and self._reads_lines(source, expression):
            return self._by_any_line(source, expression)
        return self._true(expression, units, mask.nonzero()[0])

    def _reads_lines(self, source: Source, expression: Expression) -> bool:
        purchases = set(GROUPS["purchases"])
        return bool(expression.names & ITEM_FIELDS and purchases.intersection(source.types))

    def _by_any_line(self, source: Source, expression: Expression) -> NDArray[np.intp]:
        items = self._frame.items
        candidates = np.flatnonzero(type_table(source.types)[items.type])
        if source.field:
            candidates = candidates[items.present(source.field)[candidates]]
        matching = np.zeros(len(self._frame.events), np.bool_)
        matching[items.events(self._true(expression, items, candidates))] = True
        return np.flatnonzero(matching)

    def _true(
        self, expression: Expression, units: Events, positions: NDArray[np.intp]
    ) -> NDArray[np.intp]:
        if not len(positions):
            return positions
        columns = _Columns(units, positions, self._conditions, self._local_ms)
        environment = {name: columns.column(name) for name in expression.names}
        return positions[expression.true(environment)]

    def _local_ms(self) -> NDArray[np.int64]:
        """Local time of all events, once a batch."""
        if self._local is None:
            batch = self._frame.batch
            self._local = self._conditions.local_time.local_ms(batch.at, batch.utc_offset)
        return self._local


class _Columns:
    """Columns of some units as an expression reads them: text, or float64 with NaN."""

    def __init__(
        self,
        units: Events,
        positions: NDArray[np.intp],
        conditions: Conditions,
        local_ms: Callable[[], NDArray[np.int64]],
    ) -> None:
        self._units = units
        self._positions = positions
        self._conditions = conditions
        self._local_of_events = local_ms
        self._words: Mapping[str, Callable[[], NDArray[Any]]] = {
            "hour": lambda: hour_of(self._local_ms()),
            "weekday": lambda: weekday_of(self._local_ms()),
            "night": self._night,
            "weekend": lambda: weekday_of(self._local_ms()) >= 5,
            "mobile": self._mobile,
            "discounted": self._discounted,
        }

    def column(self, name: str) -> Any:
        if name in self._words:
            return self._words[name]().astype(np.float64)
        if name in NUMBER_FIELDS:
            return self._number(name)
        text = self._units.text(name)
        return type(text)(text.codes[self._positions], text.values)

    def _number(self, name: str) -> NDArray[np.float64]:
        minor = self._units.number(name)[self._positions]
        scale = self._conditions.minor_per_major if name in MONEY_FIELDS else 1.0
        return np.where(minor == MISSING, np.nan, minor / scale)

    def _local_ms(self) -> NDArray[np.int64]:
        return self._local_of_events()[self._units.events(self._positions)]

    def _night(self) -> NDArray[np.bool_]:
        begin, end = self._conditions.night
        hour = hour_of(self._local_ms())
        if begin <= end:
            return (hour >= begin) & (hour < end)
        return (hour >= begin) | (hour < end)

    def _mobile(self) -> NDArray[np.bool_]:
        text = self._units.text("device")
        table = np.array([value in MOBILE_DEVICES for value in text.values] + [False], np.bool_)
        return table[text.codes[self._positions]]

    def _discounted(self) -> NDArray[np.bool_]:
        coupon = self._units.text("coupon").codes[self._positions] >= 0
        return coupon | (self._units.number("discount")[self._positions] > 0)


@lru_cache(maxsize=4_096)
def type_table(types: tuple[int, ...]) -> NDArray[np.bool_]:
    """A truth table by event type, not to be written to."""
    table = np.zeros(TYPE_TABLE_SIZE, np.bool_)
    table[list(types)] = True
    return table
