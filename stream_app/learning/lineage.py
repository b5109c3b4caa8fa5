"""What became of segments from one fit to the next, in MONIC's terms, and which ids they carry.

MONIC (Spiliopoulou, Ntoutsi, Theodoridis and Schult, 2006) compares two clusterings by how their
assignments of the same samples overlap. Ids are `s1`, `s2`, ... in order of issue, never reused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Fate = Literal["survived", "split", "merged", "born", "died"]
Counts = NDArray[np.int64]

#: A segment goes on where intersection over union is at least this, best pairs first.
SURVIVES: Final = 0.4
#: A segment went into another one with at least this share of its users.
INTO: Final = 0.5
#: A part of a split has at least this share of the whole.
PART: Final = 0.1


@dataclass(frozen=True)
class Transition:
    """What happened: ids `before` became ids `after`; one that is in both kept its identity."""

    fate: Fate
    before: tuple[str, ...]
    after: tuple[str, ...]


class Lineage(NamedTuple):
    """Ids of the new segments, in their order; ids issued so far; every old and new id's fate."""

    ids: tuple[str, ...]
    issued: int
    transitions: tuple[Transition, ...]


def first_ids(k: int) -> Lineage:
    """The lineage of a first fit: all are born."""
    ids = tuple(f"s{i}" for i in range(1, k + 1))
    return Lineage(ids, k, tuple(Transition("born", (), (name,)) for name in ids))


def follow(before: Sequence[str], overlap: Counts, issued: int) -> Lineage:
    """Follow segments `before` into new ones by how many samples they share (old, new)."""
    matched = _matched(overlap)
    ids: list[str] = []
    for j in range(overlap.shape[1]):
        if j in matched:
            ids.append(before[matched[j]])
        else:
            issued += 1
            ids.append(f"s{issued}")
    return Lineage(tuple(ids), issued, tuple(_transitions(before, ids, overlap, matched)))


def _matched(overlap: Counts) -> dict[int, int]:
    """Return new -> old for those that survive: one to one, the greatest overlap first."""
    union = overlap.sum(axis=1)[:, None] + overlap.sum(axis=0) - overlap
    jaccard = overlap / np.maximum(union, 1)
    found: dict[int, int] = {}
    for at in np.argsort(-jaccard, axis=None, kind="stable").tolist():
        i, j = divmod(at, overlap.shape[1])
        if jaccard[i, j] < SURVIVES:
            break
        if j not in found and i not in found.values():
            found[j] = i
    return found


def _transitions(
    before: Sequence[str], ids: Sequence[str], overlap: Counts, matched: dict[int, int]
) -> list[Transition]:
    """Return splits and merges, then what befell those that took part in neither."""
    of_old = overlap / np.maximum(overlap.sum(axis=1), 1)[:, None]
    of_new = overlap / np.maximum(overlap.sum(axis=0), 1)
    match = np.zeros(overlap.shape, dtype=bool)
    match[list(matched.values()), list(matched)] = True
    # One that goes on is no part of another's split, and did not merge into a third.
    parts = match | ((of_new >= INTO) & (of_old >= PART) & ~match.any(axis=0))
    sources = match | ((of_old >= INTO) & ~match.any(axis=1, keepdims=True))
    found = [
        Transition("split", (before[i],), tuple(ids[j] for j in np.flatnonzero(row).tolist()))
        for i, row in enumerate(parts)
        if row.sum() > 1
    ]
    found += [
        Transition("merged", tuple(before[i] for i in np.flatnonzero(column).tolist()), (ids[j],))
        for j, column in enumerate(sources.T)
        if column.sum() > 1
    ]
    told_before = {name for one in found for name in one.before}
    told_after = {name for one in found for name in one.after}
    for name in before:
        if name not in told_before:
            fate: Fate = "survived" if name in ids else "died"
            found.append(Transition(fate, (name,), (name,) if name in ids else ()))
    new = [name for name in ids if name not in before and name not in told_after]
    return found + [Transition("born", (), (name,)) for name in new]
