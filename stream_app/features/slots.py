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
_EPOCH: Final = np.dtype(np.int32)


class SlotTexts:
    """All features that keep texts in slots, which fill in order of arrival."""

    def __init__(self, layout: Layout, slots: list[Slots]) -> None:
        self._layout = layout
        counts = sorted({one.count for one in slots})
        orders = {count: layout.index(f"slot_weight:{count}") for count in counts}
        number = {one: orders[one.count].index(f"{one.name}:weight") for one in slots}
        self._slots = sorted(slots, key=lambda one: (one.count, number[one]))
        self._number = np.array([number[one] for one in self._slots])
        # Where the features with each number of slots begin and end.
        self._counts = counts
        self._edges = np.array([sum(o.count < c for o in slots) for c in (*counts, np.inf)])
        self._tables = [np.array(one.weights) for one in self._slots]
        self._half_lives = np.array([one.half_life_ms for one in self._slots], np.int64)
        self._spans = _SPAN * self._half_lives
        self._stride = layout.size // _EPOCH.itemsize
        self._epochs = np.array(
            [layout.offsets[f"{one.name}:epoch"] // _EPOCH.itemsize for one in self._slots]
        )

    def update(self, rows: Rows, frame: Frame, selection: Selection) -> None:
        """Enter a batch's texts, each user's in log order."""
        found = (self._units(i, frame, selection) for i in range(len(self._slots)))
        parts = [columns for columns in found if columns is not None]
        if not parts:
            return
        row, feature, code, at, weight = (np.concatenate(c) for c in zip(*parts, strict=True))
        weight, steps = self._weigh(rows, row, feature, at, weight)
        texts = Texts(row, self._number[feature], code, weight)
        edges = feature.searchsorted(self._edges).tolist()
        for count, begin, end in zip(self._counts, edges, edges[1:], strict=False):
            if begin == end:
                continue
            part = slice(begin, end)
            weights = self._layout.block(rows, f"slot_weight:{count}")
            if steps is not None:
                _decay(weights, row[part], texts.number[part], steps[part])
            enter(self._layout.block(rows, f"slot_code:{count}"), weights, texts.only(part))

    def _units(self, i: int, frame: Frame, selection: Selection) -> tuple[NDArray[Any], ...] | None:
        source = self._slots[i].source
        units, positions = selection.units(source), selection.positions(source)
        if not len(positions):
            return None
        return (
            units.row[positions],
            np.full(len(positions), i),
            units.codes(source.field, positions),
            units.at[positions],
            self._tables[i][units.type[positions]],
        )

    def _weigh(
        self,
        rows: Rows,
        row: NDArray[np.intp],
        feature: NDArray[np.intp],
        at: NDArray[np.int64],
        weight: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.int32] | None]:
        """Weights against the references, and the spans by which those were moved on, if any."""
        epochs, place = rows.view(_EPOCH), row * self._stride + self._epochs[feature]
        span, steps = self._spans[feature], None
        before, reached = epochs[place], at // span
        after = before
        if (reached > before).any():
            np.maximum.at(epochs, place, reached.astype(_EPOCH))
            after = epochs[place]
            steps = after - before
        return weight * np.exp2((at - after * span) / self._half_lives[feature]), steps


def _decay(
    weights: NDArray[np.float64],
    row: NDArray[np.intp],
    number: NDArray[np.intp],
    steps: NDArray[np.int32],
) -> None:
    """Weigh what is there against references that were moved on by so many spans."""
    moved = steps.nonzero()[0]
    # Mostly those are of new users, who have nothing yet.
    moved = moved[weights[row[moved], number[moved]].any(axis=1)]
    if not len(moved):
        return
    _, first = np.unique(row[moved] * weights.shape[1] + number[moved], return_index=True)
    moved = moved[first]
    place = row[moved], number[moved]
    halvings = -_SPAN * np.minimum(steps[moved], _SPAN)
    weights[place] = np.ldexp(weights[place], halvings[:, None])


def heaviest(rows: Rows, slots: Slots) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Codes (-1 where empty) and shares of the total weight, heaviest first, (n, slots)."""
    weights, codes = rows[f"{slots.name}:weight"], rows[f"{slots.name}:code"]
    order = (-weights).argsort(axis=1, kind="stable")
    row = np.arange(len(rows))[:, None]
    codes, weights = codes[row, order].astype(np.int32), weights[row, order]
    total = np.add.reduce(weights, axis=1, keepdims=True)
    total[total == 0] = 1.0
    codes[codes == 0] = -1
    return codes, weights / total


def usual(rows: Rows, slots: Slots) -> NDArray[np.uint16]:
    """Code of the heaviest text, 0 where there is none; the first slot of equals."""
    best = rows[f"{slots.name}:weight"].argmax(axis=1)
    codes: NDArray[np.uint16] = rows[f"{slots.name}:code"][np.arange(len(rows)), best]
    return codes
