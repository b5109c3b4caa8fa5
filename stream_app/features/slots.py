"""The heaviest texts of a user, with weights that halve in a given time (`top`, `usual`).

Forward decay (Cormode et al. 2009): an event weighs w * 2^((at - reference) / half-life), so that
weights need no touch as time passes. The reference is a whole number of spans of 256 half-lives,
the greatest not after the row's latest event; moving it multiplies by an exact power of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import Layout, Rows
from stream_app.features.runs import Runs
from stream_app.features.storage import Slots
from stream_app.features.units import Frame
from stream_app.features.where import Selection

_SPAN: Final = 256
#: Above every code.
_NO_CODE: Final = 1 << 16
#: Fewer cells than this are faster one by one.
_TOGETHER: Final = 16
#: So few texts are not worth the look whether they can be taken together.
_FEW: Final = 64


@dataclass(slots=True)
class _Units:
    """Texts of a batch in log order: the cell (row and feature) each is for, and its weight."""

    cell: NDArray[np.intp]
    code: NDArray[np.uint16]
    at: NDArray[np.int64]
    weight: NDArray[np.float64]

    def only(self, which: NDArray[Any]) -> _Units:
        return _Units(self.cell[which], self.code[which], self.at[which], self.weight[which])


class SlotTexts:
    """All features with the same number of slots, which fill in order of arrival."""

    def __init__(self, layout: Layout, slots: list[Slots], count: int) -> None:
        self._layout = layout
        self._count = count
        order = layout.index(f"slot_weight:{count}")
        self._slots = sorted(slots, key=lambda one: order.index(f"{one.name}:weight"))
        self._tables = [np.array(one.weights) for one in self._slots]
        self._half_lives = np.array([one.half_life_ms for one in self._slots], np.int64)

    def update(self, rows: Rows, frame: Frame, selection: Selection) -> None:
        """Enter a batch's texts, each user's in log order."""
        units = self._units(frame, selection)
        if not len(units.cell):
            return
        n = len(rows) * len(self._slots)
        weights = self._read(rows, "weight").reshape(n, self._count)
        codes = self._read(rows, "code").reshape(n, self._count)
        epochs = self._read(rows, "epoch").reshape(n)
        self._weigh(units, weights, epochs)
        if len(units.cell) <= _FEW:
            _in_order(codes, weights, units)
        else:
            _enter_all(codes, weights, units)
        for name, values in (("weight", weights), ("code", codes), ("epoch", epochs)):
            view = self._layout.block(rows, f"slot_{name}:{self._count}")
            view[...] = values.reshape(view.shape)

    def _read(self, rows: Rows, name: str) -> NDArray[Any]:
        return self._layout.block(rows, f"slot_{name}:{self._count}").copy()

    def _units(self, frame: Frame, selection: Selection) -> _Units:
        parts = []
        for i, one in enumerate(self._slots):
            units, positions = selection.units(one.source), selection.positions(one.source)
            events = units.events(positions)
            parts.append(
                (
                    frame.row[events] * len(self._slots) + i,
                    units.codes(one.source.field)[positions],
                    frame.at[events],
                    self._tables[i][units.type[positions]],
                )
            )
        return _Units(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _weigh(
        self, units: _Units, weights: NDArray[np.float64], epochs: NDArray[np.int32]
    ) -> None:
        """Move the references on, and weigh the units against them."""
        half_life = self._half_lives[units.cell % len(self._slots)]
        before = epochs.astype(np.int64)
        after = before.copy()
        np.maximum.at(after, units.cell, units.at // (_SPAN * half_life))
        moved = (after > before).nonzero()[0]
        steps = np.minimum(after[moved] - before[moved], _SPAN)
        weights[moved] = np.ldexp(weights[moved], (-_SPAN * steps).astype(np.int32)[:, None])
        epochs[...] = after
        reference = after[units.cell] * (_SPAN * half_life)
        units.weight = units.weight * np.exp2((units.at - reference) / half_life)


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
    # An empty slot has no weight and the smallest code, so it is the first to be taken.
    lightest = heavy == heavy.min(axis=1, keepdims=True)
    slot = np.where(lightest, held.astype(np.int32), _NO_CODE).argmin(axis=1)
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
        least = min(heavy)
        slot = heavy.index(least)
        if heavy.count(least) > 1:
            slot = min((k for k in range(len(held)) if heavy[k] == least), key=held.__getitem__)
        held[slot], heavy[slot] = code, weight
    codes[:], weights[:] = held, heavy


def heaviest(rows: Rows, slots: Slots) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Codes (-1 where empty) and shares of the total weight, heaviest first, (n, slots)."""
    weights, codes = rows[f"{slots.name}:weight"], rows[f"{slots.name}:code"]
    order = (-weights).argsort(axis=1, kind="stable")
    row = np.arange(len(rows))[:, None]
    codes, weights = codes[row, order].astype(np.int32), weights[row, order]
    total = weights.sum(axis=1, keepdims=True)
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    codes[codes == 0] = -1
    return codes, shares


def usual(rows: Rows, slots: Slots) -> NDArray[np.uint16]:
    """Code of the heaviest text, 0 where there is none; the first slot of equals."""
    best = rows[f"{slots.name}:weight"].argmax(axis=1)
    codes: NDArray[np.uint16] = rows[f"{slots.name}:code"][np.arange(len(rows)), best]
    return codes
