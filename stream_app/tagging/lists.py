"""List tags: the heaviest entries of a list feature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.because import Because
from stream_app.tagging.codes import ABSENT, EXPIRED, LIST_CAPACITY
from stream_app.tagging.decision import Decision, decision
from stream_app.tagging.declarations import Listed, TagDeclaration
from stream_app.tagging.timing import Timing

Entries = NDArray[np.uint16]


class WeightedColumn(Protocol):
    """A list feature: dictionary codes (m, k), below 1 where there is none, and their shares.

    The heaviest entry comes first; shares (m, k) are parts of 1.
    """

    @property
    def codes(self) -> NDArray[np.int32]: ...
    @property
    def shares(self) -> NDArray[np.float64]: ...


@dataclass(frozen=True, slots=True)
class ListRule:
    """The `top` entries with a share of `min_share` or more, in the order of their weight.

    Only who is in the list matters: another order alone is no change, and the list keeps the
    order that it had when it last changed. `place` is the tag's among all declared ones.
    """

    tag: TagDeclaration
    form: Listed
    place: int

    def decide(
        self,
        states: Entries,
        columns: Mapping[str, Any],
        texts: Sequence[str],
        timing: Timing,
    ) -> Iterator[Decision]:
        """Update `states` (m, LIST_CAPACITY) and yield the changes by row."""
        column: WeightedColumn = columns[self.form.feature]
        wanted = self._wanted(column)
        rows = _different(states, wanted)
        if self.tag.hold_ms:
            rows = rows[timing.free(rows, self.place, self.tag.hold_ms)]
        if not len(rows):
            return
        cells = (rows, states[rows], wanted[rows], column.codes[rows], column.shares[rows])
        states[rows] = wanted[rows]
        timing.stamp(rows, self.place)
        for row, before, after, codes, parts in zip(*(c.tolist() for c in cells), strict=True):
            shares = dict(zip(codes, parts, strict=True))
            old, new = _entries(before), _entries(after)
            because = self._because(shares, old, new, texts)
            value, previous = _named(new, texts), _named(old, texts)
            yield decision(self.tag, self.place, row, value, previous, "rule", because, timing.now)

    def _wanted(self, column: WeightedColumn) -> Entries:
        codes, shares = column.codes[:, : self.form.top], column.shares[:, : self.form.top]
        # The dictionary's catch-all for texts beyond its room says nothing about a user.
        counts = (shares >= self.form.min_share) & (codes > ABSENT) & (codes != EXPIRED)
        entries = np.zeros((len(codes), LIST_CAPACITY), dtype=np.uint16)
        entries[:, : codes.shape[1]] = np.where(counts, codes, ABSENT)
        return entries

    def _because(
        self, shares: dict[int, float], old: list[int], new: list[int], texts: Sequence[str]
    ) -> list[Because]:
        """A comparison of shares for each entry that came or went."""
        feature, least = self.form.feature, self.form.min_share
        because = [
            Because(f"{feature}[{texts[code]}]", shares[code], ">=", least)
            for code in new
            if code not in old
        ]
        gone = [code for code in old if code not in new]
        if gone:
            # Who still has the share was pushed out by those who have more.
            lightest = min([shares[code] for code in new], default=least)
            for code in gone:
                share = shares.get(code, 0.0)
                threshold = least if share < least else lightest
                because.append(Because(f"{feature}[{texts[code]}]", share, "<", threshold))
        return because


def names(codes: Sequence[int], texts: Sequence[str]) -> list[str] | None:
    """The entries of a state; None when there is none."""
    return _named(_entries(codes), texts)


def _named(entries: Sequence[int], texts: Sequence[str]) -> list[str] | None:
    return [texts[code] for code in entries] or None


def _entries(codes: Sequence[int]) -> list[int]:
    return [code for code in codes if code != ABSENT]


def _different(old: Entries, new: Entries) -> NDArray[np.intp]:
    """Rows whose entries are not the same set."""
    rows = np.logical_or.reduce(old != new, axis=1).nonzero()[0]
    before, after = old[rows], new[rows]
    before.sort(axis=1)
    after.sort(axis=1)
    changed: NDArray[np.intp] = rows[np.logical_or.reduce(before != after, axis=1)]
    return changed
