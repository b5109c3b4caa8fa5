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

    def __init__(self, layout: Layout, topics: tuple[int, ...]) -> None:
        self._layout = layout
        self._topics = topics

    def drop(self, rows: Rows, row: NDArray[np.intp], batch: EventBatch) -> NDArray[np.bool_]:
        """Mark duplicates and remember the others."""
        duplicate = np.zeros(len(row), np.bool_)
        rings = self._layout.block(rows, "ids")
        heads = self._layout.block(rows, "ids_head")
        for place, topic in enumerate(self._topics):
            # Batches have all clicks before all purchases.
            begin, end = np.searchsorted(batch.topic, (topic, topic + 1))
            if begin < end:
                part = slice(begin, end)
                duplicate[part] = _topic(
                    rings[:, place], heads[:, place], row[part], batch.id_hash[part]
                )
        return duplicate


def _topic(
    rings: NDArray[np.uint32],
    heads: NDArray[np.uint8],
    row: NDArray[np.intp],
    ids: NDArray[np.uint32],
) -> NDArray[np.bool_]:
    runs = Runs(row, len(rings))
    duplicate = np.zeros(len(row), np.bool_)
    suspects = _suspects(rings, row, ids)
    if len(suspects):
        exact = np.isin(runs.rows, suspects, assume_unique=True)
        for run in np.flatnonzero(exact).tolist():
            events = runs.events(run)
            user = int(runs.rows[run])
            duplicate[events] = _one_by_one(rings[user], heads[user : user + 1], ids[events])
        runs = runs.without(exact)
    _remember(rings, heads, runs, ids)
    return duplicate


def _suspects(
    rings: NDArray[np.uint32], row: NDArray[np.intp], ids: NDArray[np.uint32]
) -> NDArray[np.intp]:
    """Rows of which some id may be a duplicate (an empty place looks like the id 0)."""
    hit = rings[row] == ids[:, None]
    keys = (row.astype(np.uint64) << np.uint64(32)) | ids
    keys.sort()
    twice = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(32)
    if not hit.any() and not len(twice):
        return np.empty(0, np.intp)
    return np.union1d(row[hit.any(axis=1)], twice.astype(np.intp))


def _remember(
    rings: NDArray[np.uint32],
    heads: NDArray[np.uint8],
    runs: Runs,
    ids: NDArray[np.uint32],
) -> None:
    head = heads[runs.rows].astype(np.intp)
    end = head + runs.lengths
    place = runs.spread(head) + runs.rank
    # Of a run longer than the ring, only the last places survive.
    kept: slice | NDArray[np.bool_] = slice(None)
    if runs.longest > REMEMBERED:
        kept = runs.rank >= runs.spread(runs.lengths) - REMEMBERED
    rings[runs.spread(runs.rows)[kept], place[kept] & _MASK] = ids[runs.order[kept]]
    heads[runs.rows] = np.where(end < REMEMBERED, end, REMEMBERED + (end & _MASK))


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
