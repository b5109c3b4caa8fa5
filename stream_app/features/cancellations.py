"""Which refunds cancel an order: those that pay a purchase back in full within 24 hours.

A row keeps the user's last four purchases that carry a transaction_id, newest first, each as the
CRC-32 of that id (0: a free place), its epoch second, and its minor units up to 2^32 - 1. The
refund that cancels a purchase takes it out, so that a second one finds nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import EVENT_TYPES
from stream_app.domain.columns import hashes
from stream_app.domain.layout import Rows
from stream_app.features.marks import Told
from stream_app.features.runs import Runs
from stream_app.features.selection import Selection
from stream_app.features.selectors import Source
from stream_app.features.storage import KEPT, PURCHASE_PARTS, Bought
from stream_app.features.units import Frame

#: The latest that a cancellation may come after its purchase.
WITHIN_SECONDS: Final = 24 * 3_600
_REFUND: Final = EVENT_TYPES.index("refund")
_GREATEST: Final = 2**32 - 1
#: So few events are faster one by one.
_FEW: Final = 12


class Cancellations:
    """Depends on the order of the purchases topic: a user with refunds goes event by event."""

    def __init__(self, bought: list[Bought]) -> None:
        self._places = [(one.source, one.name) for one in bought]

    def find(self, rows: Rows, frame: Frame, selection: Selection) -> Told:
        """Refunds that cancel an order; remembers a batch's purchases."""
        return {
            ("cancellation", source): _find(rows[name], frame, selection.positions(source), source)
            for source, name in self._places
        }


def _find(
    kept: NDArray[np.uint32], frame: Frame, positions: NDArray[np.intp], source: Source
) -> NDArray[np.intp]:
    if not len(positions):
        return positions
    seen = _seen(frame, positions, source)
    refund = frame.events.type[positions] == _REFUND
    runs = Runs(frame.row[positions], len(kept))
    exact = np.logical_or.reduceat(refund[runs.order], runs.starts)
    if len(positions) <= _FEW:
        exact[:] = True
    found: list[int] = []
    for run in exact.nonzero()[0].tolist():
        events = runs.events(run)
        cancels = _one_by_one(kept[runs.rows[run]], seen[events], refund[events])
        found += events[cancels].tolist()
    if not exact.all():
        _remember(kept, runs.without(exact), seen)
    return positions[found]


def _seen(frame: Frame, positions: NDArray[np.intp], source: Source) -> NDArray[np.uint32]:
    """Purchases and refunds as rows keep them, (events, 3)."""
    ids = frame.events.text(source.field)
    texts = (ids.values[code] for code in ids.codes[positions].tolist())
    parts = (
        np.maximum(hashes(texts, len(positions)), 1).astype(np.int64),
        frame.at[positions] // 1_000,
        frame.events.number("value")[positions],
    )
    return np.stack(parts, axis=1).clip(0, _GREATEST).astype(np.uint32)


def _one_by_one(
    kept: NDArray[np.uint32], seen: NDArray[np.uint32], refund: NDArray[np.bool_]
) -> list[bool]:
    """Which of a user's events cancel an order; changes `kept`, (4, 3)."""
    held = [purchase for purchase in kept.tolist() if purchase[0]]
    cancels = []
    for event, is_refund in zip(seen.tolist(), refund.tolist(), strict=True):
        paid_back = [one for one in held if _cancels(event, one)] if is_refund else []
        cancels.append(bool(paid_back))
        if paid_back:
            held.remove(paid_back[0])
        elif not is_refund:
            held = [event, *held[: KEPT - 1]]
    kept[:] = held + [[0] * PURCHASE_PARTS] * (KEPT - len(held))
    return cancels


def _cancels(refund: list[int], purchase: list[int]) -> bool:
    same = refund[0] == purchase[0]
    return same and 0 <= refund[1] - purchase[1] <= WITHIN_SECONDS and refund[2] >= purchase[2]


def _remember(kept: NDArray[np.uint32], runs: Runs, seen: NDArray[np.uint32]) -> None:
    """Put the purchases of users without refunds before those they have."""
    users = np.arange(len(runs.rows))
    older = np.maximum(np.arange(KEPT) - runs.lengths[:, None], 0)
    held = kept[runs.rows][users[:, None], older]
    place = runs.spread(runs.lengths) - 1 - runs.rank
    new = place < KEPT
    held[runs.number[new], place[new]] = seen[runs.order[new]]
    kept[runs.rows] = held
