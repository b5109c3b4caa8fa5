"""Which units of a batch each source takes: all sources of a level as one matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from stream_app.domain import expression
from stream_app.features.selectors import GROUPS, ITEM_FIELDS, Source
from stream_app.features.units import TYPE_TABLE_SIZE, Events, Frame
from stream_app.features.where import Conditions, EventColumns, condition, type_table


class Level:
    """The sources that count the same units; `number` is the row of each in the matrix."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.number = {source: i for i, source in enumerate(sources)}
        tables = [type_table(source.types) for source in sources]
        self.table = np.array(tables, np.bool_).reshape(-1, TYPE_TABLE_SIZE)
        # Number 0 stands for no field: every unit carries that.
        fields = list(dict.fromkeys(["", *(source.field for source in sources)]))
        self.fields = fields[1:]
        self.carrier = np.array([fields.index(source.field) for source in sources], np.intp)
        self.conditions: list[tuple[int, bool, expression.Expression]] = []
        for i, source in enumerate(sources):
            if source.where:
                where = condition(source.where)
                self.conditions.append((i, _reads_lines(source, where), where))
        self.conditional = np.array([i for i, _, _ in self.conditions], np.intp)


def levels(sources: Iterable[Source]) -> tuple[Level, Level]:
    """The distinct sources that count events, and those that count items."""
    distinct = list(dict.fromkeys(sources))
    return (
        Level([one for one in distinct if not one.by_item]),
        Level([one for one in distinct if one.by_item]),
    )


def _reads_lines(source: Source, where: expression.Expression) -> bool:
    purchases = set(GROUPS["purchases"])
    lines = where.names & ITEM_FIELDS and purchases.intersection(source.types)
    return bool(lines) and not source.by_item


class Selection:
    """The units that sources take from one batch; each level is worked out once."""

    def __init__(self, frame: Frame, conditions: Conditions, sources: tuple[Level, Level]) -> None:
        self._frame = frame
        self._conditions = conditions
        self._levels = sources
        self._matrices: dict[bool, NDArray[np.bool_]] = {}
        self._columns: dict[bool, expression.Frame] = {}

    def units(self, source: Source) -> Events:
        """The level that a source counts at."""
        return self._frame.level(source.by_item)

    def positions(self, source: Source) -> NDArray[np.intp]:
        """Positions of a source's units at its level, ascending."""
        by_item = source.by_item
        found: NDArray[np.intp]
        (found,) = self.matrix(by_item)[self._levels[by_item].number[source]].nonzero()
        return found

    def matrix(self, by_item: bool) -> NDArray[np.bool_]:
        """Which units each source of a level takes, (sources, units); not to be written to."""
        found = self._matrices.get(by_item)
        if found is None:
            found = self._matrices[by_item] = self._select(by_item)
        return found

    def _select(self, by_item: bool) -> NDArray[np.bool_]:
        level, units = self._levels[by_item], self._frame.level(by_item)
        everywhere = np.ones(len(units), np.bool_)
        present = np.array([everywhere, *(units.present(field) for field in level.fields)])
        matrix: NDArray[np.bool_] = level.table[:, units.type] & present[level.carrier]
        # Conditions are the dear part, and most small batches lack the types of most.
        wanted: NDArray[np.bool_] = np.logical_or.reduce(matrix[level.conditional], axis=1)
        for k in wanted.nonzero()[0].tolist():
            i, reads_lines, where = level.conditions[k]
            matrix[i] &= self._any_line(where) if reads_lines else self._true(where, by_item)
        return matrix

    def _any_line(self, where: expression.Expression) -> NDArray[np.bool_]:
        """Events of which one line at least fulfils a condition."""
        matching = np.zeros(len(self._frame.events), np.bool_)
        matching[self._frame.items.events(self._true(where, True).nonzero()[0])] = True
        return matching

    def _true(self, where: expression.Expression, by_item: bool) -> NDArray[np.bool_]:
        columns = self._columns.get(by_item)
        if columns is None:
            environment = EventColumns(self._frame.level(by_item), self._conditions)
            columns = self._columns[by_item] = expression.Frame(environment)
        return where.true(columns)
