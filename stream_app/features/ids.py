"""Events that a producer sent twice: the last 32 ids of a user and topic are remembered.

The head of a ring counts to 31 while it fills; from 32 on it is 32 + the next place to write.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import EventBatch
from stream_app.domain.layout import Layout, Rows
from stream_app.features.runs import Runs
from stream_app.features.storage import REMEMBERED

_MASK = REMEMBERED - 1


class Ids:
    """Drops duplicates exactly as if events came one by one.

    Users without a suspicion are handled together; a user of whom an id matches one in his ring
    or in the batch goes event by event. Ids are CRC-32, so that one event in 2^32/32 is dropped
    wrongly; a repeat after more than 32 other events of the user is not noticed.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def drop(self, rows: Rows, row: NDArray[np.intp], batch: EventBatch) -> NDArray[np.bool_]:
        """Mark duplicates and remember the others."""
        rings = self._layout.block(rows, "ids")
        heads = self._layout.block(rows, "ids_head")
        topic, ids = batch.topic, batch.id_hash
        # A cell is a user and a topic.
        cell = row * rings.shape[1] + topic
        runs = Runs(cell, len(rows) * rings.shape[1])
        duplicate = np.zeros(len(row), np.bool_)
        suspects = _suspects(rings[row, topic], cell, ids)
        if len(suspects):
            exact = np.isin(runs.rows, suspects, assume_unique=True)
            for run in exact.nonzero()[0].tolist():
                events = runs.events(run)
                place = int(row[events[0]]), int(topic[events[0]])
                head = heads[place[0], place[1] : place[1] + 1]
                duplicate[events] = _one_by_one(rings[place], head, ids[events])
            runs = runs.without(exact)
        _remember(rings, heads, runs, row, topic, ids)
        return duplicate


def _suspects(
    known: NDArray[np.uint32], cell: NDArray[np.intp], ids: NDArray[np.uint32]
) -> NDArray[np.intp]:
    """Cells of which some id may be a duplicate (an empty place looks like the id 0)."""
    hit = known == ids[:, None]
    keys = (cell << 32) | ids
    keys.sort()
    twice = keys[1:] == keys[:-1]
    if not hit.any() and not twice.any():
        return cell[:0]
    return np.union1d(cell[hit.any(axis=1)], keys[1:][twice] >> 32)


def _remember(
    rings: NDArray[np.uint32],
    heads: NDArray[np.uint8],
    runs: Runs,
    row: NDArray[np.intp],
    topic: NDArray[np.uint8],
    ids: NDArray[np.uint32],
) -> None:
    order = runs.order
    first = order[runs.starts]
    cells = row[first], topic[first]
    head = heads[cells].astype(np.intp)
    place = np.arange(len(order)) + runs.spread(head - runs.starts)
    end = head + runs.lengths
    heads[cells] = np.where(end < REMEMBERED, end, REMEMBERED + (end & _MASK))
    if len(order) > REMEMBERED and runs.longest > REMEMBERED:
        # Of a run longer than the ring, only the last places survive.
        kept = runs.rank >= runs.spread(runs.lengths) - REMEMBERED
        order, place = order[kept], place[kept]
    rings[row[order], topic[order], place & _MASK] = ids[order]


def _one_by_one(
    ring: NDArray[np.uint32], head: NDArray[np.uint8], ids: NDArray[np.uint32]
) -> list[bool]:
    first = int(head[0])
    known = ring.tolist()
    held = known[:first] if first < REMEMBERED else known[first & _MASK :] + known[: first & _MASK]
    recent: deque[int] = deque(held, maxlen=REMEMBERED)
    duplicates = []
    for event_id in ids.tolist():
        duplicates.append(event_id in recent)
        if not duplicates[-1]:
            recent.append(event_id)
            ring[first & _MASK] = event_id
            first = first + 1 if first + 1 < REMEMBERED else REMEMBERED + ((first + 1) & _MASK)
    head[0] = first
    return duplicates
