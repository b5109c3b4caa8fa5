"""Columns of a batch at the two levels that features count: events, and items."""

from __future__ import annotations

from functools import cached_property
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import CLICKS, MISSING, EventBatch, Strings
from stream_app.features.dictionary import Dictionary
from stream_app.features.selectors import ITEM_FIELDS, NUMBER_FIELDS

#: Type of an event that is to be left out; tables by type have one more entry for it.
NO_TYPE: Final = 255
TYPE_TABLE_SIZE: Final = 256


Number = TypeVar("Number", bound=np.generic)


class Events:
    """A unit an event: `row` (n,) is the row it is for. `event` is None: position and event are
    the same."""

    event: NDArray[np.intp] | None = None

    def __init__(
        self,
        batch: EventBatch,
        row: NDArray[np.intp],
        types: NDArray[np.uint8],
        strings: Dictionary,
    ) -> None:
        self.batch = batch
        self.row = row
        self.type = types
        self._strings = strings

    def __len__(self) -> int:
        return len(self.type)

    def events(self, positions: NDArray[np.intp]) -> NDArray[np.intp]:
        """The events that units belong to."""
        return positions if self.event is None else self.event[positions]

    def of_events(self, column: NDArray[Number]) -> NDArray[Number]:
        """A column with an entry an event as one with an entry a unit."""
        return column if self.event is None else column[self.event]

    @property
    def at(self) -> NDArray[np.int64]:
        """Event time in epoch ms."""
        return self.of_events(self.batch.at)

    def number(self, field: str) -> NDArray[np.int64]:
        """Amounts in minor units, quantity in pieces; MISSING where absent."""
        column = self.batch.numbers.get(field)
        return np.full(len(self.batch), MISSING) if column is None else column

    def text(self, field: str) -> Strings:
        column = self.batch.strings.get(field)
        return _absent(len(self.batch)) if column is None else column

    def present(self, field: str) -> NDArray[np.bool_]:
        """Which units carry a field."""
        if field in NUMBER_FIELDS:
            present: NDArray[np.bool_] = self.number(field) != MISSING
        else:
            present = self.text(field).codes >= 0
        return present

    def codes(self, field: str, positions: NDArray[np.intp]) -> NDArray[np.uint16]:
        """Dictionary codes of a text field that all of these units carry."""
        column = self.text(field)
        given = column.codes[positions]
        used = np.zeros(len(column.values), np.bool_)
        used[given] = True
        # Only what a feature keeps may take up room in the dictionary.
        kept = used.nonzero()[0]
        table = np.zeros(len(used), np.uint16)
        table[kept] = self._strings.codes([column.values[i] for i in kept.tolist()])
        return table[given]


class Items(Events):
    """A unit a click and a line of a purchase; other fields are those of the line's event."""

    def __init__(self, events: Events, strings: Dictionary) -> None:
        batch, lines = events.batch, events.batch.lines
        self._clicks = int(np.count_nonzero(batch.topic == CLICKS))
        clicks = np.arange(self._clicks)
        owner: NDArray[np.intp] = clicks
        if lines is not None:
            owner = np.concatenate((clicks, lines.event.astype(np.intp)))
        super().__init__(batch, events.row[owner], events.type[owner], strings)
        self.event = owner
        self._numbers: dict[str, NDArray[np.int64]] = {}
        self._texts: dict[str, Strings] = {}

    def number(self, field: str) -> NDArray[np.int64]:
        if field not in self._numbers:
            self._numbers[field] = self._number(field)
        return self._numbers[field]

    def text(self, field: str) -> Strings:
        if field not in self._texts:
            self._texts[field] = self._text(field)
        return self._texts[field]

    def _number(self, field: str) -> NDArray[np.int64]:
        column = super().number(field)
        if field not in ITEM_FIELDS or self.batch.lines is None:
            return column[self.event]
        of_lines: NDArray[np.int64] = getattr(self.batch.lines, field)
        return np.concatenate((column[: self._clicks], of_lines))

    def _text(self, field: str) -> Strings:
        column = super().text(field)
        if field not in ITEM_FIELDS or self.batch.lines is None:
            return Strings(column.codes[self.event], column.values)
        of_lines: Strings = getattr(self.batch.lines, field)
        shifted = np.where(of_lines.codes < 0, -1, of_lines.codes + len(column.values))
        codes = np.concatenate((column.codes[: self._clicks], shifted)).astype(np.int32)
        return Strings(codes, [*column.values, *of_lines.values])


class Frame:
    """One batch as the fold sees it: which row each event is for, and its columns.

    `row` intp (n,); duplicates are left out by setting their `events.type` to NO_TYPE.
    """

    def __init__(
        self,
        batch: EventBatch,
        row: NDArray[np.intp],
        types: NDArray[np.uint8],
        strings: Dictionary,
    ) -> None:
        self.batch = batch
        self.row = row
        self.at = batch.at
        self.events = Events(batch, row, types, strings)
        self._strings = strings

    @cached_property
    def items(self) -> Items:
        return Items(self.events, self._strings)

    def level(self, by_item: bool) -> Events:
        """The units at one of the two levels."""
        return self.items if by_item else self.events

    @cached_property
    def most_units(self) -> int:
        """No row has more units than this in the batch."""
        most = np.bincount(self.row).max(initial=0)
        if self.batch.lines is not None:
            most += np.bincount(self.row[self.batch.lines.event]).max(initial=0)
        return int(most)


def _absent(n: int) -> Strings:
    return Strings(np.full(n, -1, np.int32), [])
