"""The heaviest texts of a user, with weights that halve in a given time (`top`, `usual`).

Forward decay (Cormode et al. 2009): an event weighs w * 2^((at - reference) / half-life), so that
weights need no touch as time passes. The reference is a whole number of spans of 256 half-lives,
the greatest not after the row's latest event; moving it multiplies by an exact power of two.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import Layout, Rows
from stream_app.features.admission import Texts, enter
from stream_app.features.selection import Selection
from stream_app.features.storage import Slots
from stream_app.features.units import Frame

_SPAN: Final = 256


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
        enter(codes, weights, units)
        for name, values in (("weight", weights), ("code", codes), ("epoch", epochs)):
            view = self._layout.block(rows, f"slot_{name}:{self._count}")
            view[...] = values.reshape(view.shape)

    def _read(self, rows: Rows, name: str) -> NDArray[Any]:
        return self._layout.block(rows, f"slot_{name}:{self._count}").copy()

    def _units(self, frame: Frame, selection: Selection) -> Texts:
        parts = []
        for i, one in enumerate(self._slots):
            units, positions = selection.units(one.source), selection.positions(one.source)
            events = units.events(positions)
            parts.append(
                (
                    frame.row[events] * len(self._slots) + i,
                    units.codes(one.source.field, positions),
                    frame.at[events],
                    self._tables[i][units.type[positions]],
                )
            )
        return Texts(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _weigh(self, units: Texts, weights: NDArray[np.float64], epochs: NDArray[np.int32]) -> None:
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
