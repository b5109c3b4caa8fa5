"""Conditions on events (`where`): which columns they may name, and what those hold."""

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
    MONEY_FIELDS,
    NUMBER_FIELDS,
    TEXT_FIELDS,
)
from stream_app.features.units import TYPE_TABLE_SIZE, Events

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


class EventColumns(dict[str, Any]):
    """Columns of a level's units as expressions read them: text, or float64 with NaN."""

    def __init__(self, units: Events, conditions: Conditions) -> None:
        self._units = units
        self._conditions = conditions

    def __missing__(self, name: str) -> Any:
        self[name] = self._column(name)
        return self[name]

    def _column(self, name: str) -> Any:
        if name in TEXT_FIELDS:
            return self._units.text(name)
        if name in NUMBER_FIELDS:
            minor = self._units.number(name)
            scale = self._conditions.minor_per_major if name in MONEY_FIELDS else 1.0
            return np.where(minor == MISSING, np.nan, minor / scale)
        return _WORDS[name](self).astype(np.float64)

    def _hour(self) -> NDArray[np.int64]:
        return hour_of(self._local_ms())

    def _weekday(self) -> NDArray[np.int64]:
        return weekday_of(self._local_ms())

    def _night(self) -> NDArray[np.bool_]:
        begin, end = self._conditions.night
        hour = self._hour()
        if begin <= end:
            return (hour >= begin) & (hour < end)
        return (hour >= begin) | (hour < end)

    def _weekend(self) -> NDArray[np.bool_]:
        return self._weekday() >= 5

    def _mobile(self) -> NDArray[np.bool_]:
        text = self._units.text("device")
        table = np.array([value in MOBILE_DEVICES for value in text.values] + [False], np.bool_)
        return table[text.codes]

    def _discounted(self) -> NDArray[np.bool_]:
        return self._units.present("coupon") | (self._units.number("discount") > 0)

    def _local_ms(self) -> NDArray[np.int64]:
        """Local time, once a level."""
        if self._local is None:
            batch = self._units.batch
            local = self._conditions.local_time.local_ms(batch.at, batch.utc_offset)
            self._local = self._units.of_events(local)
        return self._local

    _local: NDArray[np.int64] | None = None


_WORDS: Final[Mapping[str, Callable[[EventColumns], NDArray[Any]]]] = {
    word: getattr(EventColumns, f"_{word}") for word in WORDS
}


@lru_cache(maxsize=4_096)
def type_table(types: tuple[int, ...]) -> NDArray[np.bool_]:
    """A truth table by event type, not to be written to."""
    table = np.zeros(TYPE_TABLE_SIZE, np.bool_)
    table[list(types)] = True
    return table
