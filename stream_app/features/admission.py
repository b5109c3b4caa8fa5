"""Who gets one of a user's few slots: newcomers take the free ones, then that of the lightest.

Codes uint16 and weights float64 are (rows, features, slots) or (cells, slots), where a cell is a
row and a feature, and change in place; a free slot has code 0 and no weight. Of equally light slots
the first is taken: slots fill in log order, whereas codes depend on which texts of other users and
fields came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.features.runs import Runs

#: Lighter than any text: free slots are taken first.
_FREE: Final = -1.0
#: Fewer cells than this are faster one by one.
_TOGETHER: Final = 16
#: So few texts are not worth the look whether they can be taken together.
_FEW: Final = 64


@dataclass(slots=True)
class Texts:
    """Texts of a batch in log order: the row and the feature's number, the code, its weight."""

    row: NDArray[np.intp]
    number: NDArray[np.intp]
    code: NDArray[np.uint16]
    weight: NDArray[np.float64]

    def only(self, which: slice) -> Texts:
        return Texts(self.row[which], self.number[which], self.code[which], self.weight[which])


@dataclass(slots=True)
class _Units:
    """Texts by cell."""

    cell: NDArray[np.intp]
    code: NDArray[np.uint16]
    weight: NDArray[np.float64]

    def only(self, which: NDArray[Any]) -> _Units:
        return _Units(self.cell[which], self.code[which], self.weight[which])


def enter(codes: NDArray[np.uint16], weights: NDArray[np.float64], texts: Texts) -> None:
    """Enter texts; the result is that of entering them one by one."""
    if len(texts.row) <= _FEW:
        columns = (texts.row, texts.number, texts.code, texts.weight)
        for row, number, code, weight in zip(*(one.tolist() for one in columns), strict=True):
            _enter_one(codes[row, number], weights[row, number], code, weight)
        return
    slots = codes.shape[-1]
    units = _Units(texts.row * codes.shape[1] + texts.number, texts.code, texts.weight)
    flat_codes, flat_weights = codes.copy().reshape(-1, slots), weights.copy().reshape(-1, slots)
    _enter_all(flat_codes, flat_weights, units)
    codes[...], weights[...] = flat_codes.reshape(codes.shape), flat_weights.reshape(weights.shape)


def _enter_one(
    codes: NDArray[np.uint16], weights: NDArray[np.float64], code: int, weight: float
) -> None:
    held = codes.tolist()
    if code in held:
        weights[held.index(code)] += weight
        return
    slot = held.index(0) if 0 in held else int(weights.argmin())
    codes[slot], weights[slot] = code, weight


def _enter_all(codes: NDArray[np.uint16], weights: NDArray[np.float64], units: _Units) -> None:
    """Add up what finds a slot, in any order; take the cells with too few slots one by one."""
    slot = _find(codes, units)
    crowded = _admit(codes, units.only(slot < 0))
    if len(crowded):
        exact = np.zeros(len(codes), np.bool_)
        exact[crowded] = True
        hard = exact[units.cell]
        _in_order(codes, weights, units.only(hard))
        units, slot = units.only(~hard), slot[~hard]
    new = slot < 0
    slot[new] = _find(codes, units.only(new))
    np.add.at(weights.reshape(-1), units.cell * codes.shape[1] + slot, units.weight)


def _find(codes: NDArray[np.uint16], units: _Units) -> NDArray[np.intp]:
    """The slot that holds each unit's text, -1 where none does."""
    slot = np.full(len(units.cell), -1)
    for k in range(codes.shape[1]):
        slot[codes[:, k][units.cell] == units.code] = k
    return slot


def _admit(codes: NDArray[np.uint16], units: _Units) -> NDArray[np.intp]:
    """Give new texts a free slot in order of arrival; return the cells that have too few."""
    if not len(units.cell):
        return units.cell
    keys, first = np.unique(units.cell << 16 | units.code, return_index=True)
    arrival = np.argsort(first)
    cell, code = keys[arrival] >> 16, keys[arrival] & 0xFFFF
    runs = Runs(cell, len(codes))
    used = np.count_nonzero(codes[runs.rows], axis=1)
    crowded = used + runs.lengths > codes.shape[1]
    slot = runs.rank + runs.spread(used)
    fits = ~runs.spread(crowded)
    codes[runs.spread(runs.rows)[fits], slot[fits]] = code[runs.order[fits]]
    full: NDArray[np.intp] = runs.rows[crowded]
    return full


def _in_order(codes: NDArray[np.uint16], weights: NDArray[np.float64], units: _Units) -> None:
    """Cells where a newcomer takes the place of the lightest: only the order of events tells.

    The first event of all cells together, then the second, as long as there are many.
    """
    runs = Runs(units.cell, len(codes))
    turn = 0
    while np.count_nonzero(runs.lengths > turn) >= _TOGETHER:
        active = runs.lengths > turn
        _enter(codes, weights, runs.rows[active], units, runs.order[runs.starts[active] + turn])
        turn += 1
    for run in np.flatnonzero(runs.lengths > turn).tolist():
        events = runs.events(run)[turn:]
        _one_by_one(codes[runs.rows[run]], weights[runs.rows[run]], units, events)


def _enter(
    codes: NDArray[np.uint16],
    weights: NDArray[np.float64],
    cells: NDArray[np.intp],
    units: _Units,
    events: NDArray[np.intp],
) -> None:
    """One event of each cell; no cell twice."""
    code, weight = units.code[events], units.weight[events]
    held, heavy = codes[cells], weights[cells]
    hit = held == code[:, None]
    slot = np.where(held == 0, _FREE, heavy).argmin(axis=1)
    known = hit.any(axis=1)
    slot[known] = hit[known].argmax(axis=1)
    weights[cells, slot] = weight + np.where(known, weights[cells, slot], 0.0)
    codes[cells, slot] = code


def _one_by_one(
    codes: NDArray[np.uint16],
    weights: NDArray[np.float64],
    units: _Units,
    events: NDArray[np.intp],
) -> None:
    held, heavy = codes.tolist(), weights.tolist()
    for code, weight in zip(
        units.code[events].tolist(), units.weight[events].tolist(), strict=True
    ):
        if code in held:
            heavy[held.index(code)] += weight
            continue
        slot = held.index(0) if 0 in held else heavy.index(min(heavy))
        held[slot], heavy[slot] = code, weight
    codes[:], weights[:] = held, heavy
