"""What new features would have kept of events that older catalogues have folded already.

The events are folded once more, into rows of their own, up to where the state has read them; of
these rows the fields that the state's rows lack are taken over, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import TOPICS
from stream_app.domain.layout import Layout, Rows
from stream_app.engine.catalogue import Program
from stream_app.engine.held import Block, code_fields
from stream_app.engine.profiles import Profiles
from stream_app.engine.step import Record
from stream_app.features import Dictionary, migrate
from stream_app.features.dictionary import NO_TEXT, OTHER

#: By field that is to be filled: as many panes as the rows know already, 0 where they know nothing.
Lacking = Mapping[str, int]
_ALWAYS: Final[Mapping[str, int]] = MappingProxyType({})


def lacking(program: Program, old: Layout, wanted: Collection[str] = ()) -> dict[str, int]:
    """What rows of the layout `old` do not know of features, and all fields of `wanted` ones.

    Of a longer window over a `distinct` count the layout does not tell: such a feature is wanted.
    """
    found: dict[str, int] = {}
    for feature, fields in program.catalogue.features.kept.items():
        for name in fields:
            new = program.layout.field(name)
            if feature in wanted or name not in old or old.field(name).dtype != new.dtype:
                found[name] = 0
            elif old.field(name).shape < new.shape:
                found.setdefault(name, old.field(name).shape[0])
    return found


def features_of(program: Program, fields: Collection[str]) -> list[str]:
    """The features that read any of the fields, in declared order."""
    kept = program.catalogue.features.kept
    return [feature for feature, names in kept.items() if set(names) & set(fields)]


def first_seen(program: Program, blocks: Iterable[Block]) -> dict[str, int]:
    """When (ms) each user was first seen, where users are forgotten."""
    if program.retention is None:
        return {}
    return {
        user.decode(): at
        for block in blocks
        for user, at in zip(block.users, block.rows["first_seen"].tolist(), strict=True)
    }


class Refold:
    """Folds events into rows of their own, without deciding anything.

    `since` is when (ms) users were first seen: what came before was of somebody who was forgotten.
    """

    def __init__(self, program: Program, since: Mapping[str, int] = _ALWAYS) -> None:
        self.profiles: Final = Profiles(program)
        self.events = 0
        self._since = since

    def add(self, topic: int, records: Sequence[Record], users: Collection[str]) -> None:
        """Fold records of a topic, in log order; what was refused is so again.

        Only events of `users` count.
        """
        profiles = self.profiles
        logs: list[list[Record]] = [[] for _ in TOPICS]
        logs[topic] = list(records)
        batch = profiles.program.decoder.decode(logs).batch
        keep = np.array([user in users for user in batch.user], dtype=np.bool_)
        if self._since:
            earliest = [self._since.get(user, 0) for user in batch.user]
            keep &= batch.at >= np.array(earliest, dtype=np.int64)
        if not keep.all():
            batch = batch.select(keep)
        if not len(batch):
            return
        profiles.add([u for u in dict.fromkeys(batch.user) if u not in profiles.slots])
        slots = np.array([profiles.slots[user] for user in batch.user], dtype=np.intp)
        touched, index = np.unique(slots, return_inverse=True)
        rows = profiles.gather(touched)
        profiles.program.features.fold(rows, index, batch, profiles.dictionary)
        profiles.scatter(touched, rows)
        self.events += len(batch)


def fill(block: Block, refold: Refold, dictionary: Dictionary, fields: Lacking) -> Rows:
    """Rows (n,) of the block under the program's layout, with what `refold` knows of `fields`.

    `dictionary` is that of the block, and takes the strings that it lacks. Users of whom no event
    is kept stay blank there.
    """
    program = refold.profiles.program
    rows = migrate(block.rows, block.layout, program.layout)
    slots = [refold.profiles.slots.get(user.decode(), -1) for user in block.users]
    known = np.array(slots, dtype=np.intp)
    there = np.flatnonzero(known >= 0)
    if not len(there):
        return rows
    again = refold.profiles.gather(known[there])
    _rename(again, program.layout, refold.profiles.dictionary, dictionary, fields)
    own = np.ascontiguousarray(rows[there])
    at = np.maximum(own["last_seen"], again["last_seen"])
    # Of another moment's panes a ring has other cells, and a register another age.
    program.features.pass_time(own, at)
    program.features.pass_time(again, at)
    for name, panes in fields.items():
        own[name] = _older(own, again, name, panes) if panes else again[name]
    rows[there] = own
    return rows


def _rename(
    rows: Rows, layout: Layout, own: Dictionary, other: Dictionary, fields: Collection[str]
) -> None:
    """Write the codes of `fields` as those of another dictionary."""
    for name in code_fields(layout):
        if name not in fields:
            continue
        used = [c for c in np.unique(rows[name]).tolist() if c not in (NO_TEXT, OTHER)]
        table = np.zeros(OTHER + 1, np.uint16)
        table[OTHER] = OTHER
        table[used] = other.codes([own.values[code] for code in used])
        rows[name] = table[rows[name]]


def _older(own: Rows, again: Rows, name: str, panes: int) -> NDArray[np.generic]:
    """A ring with its latest `panes` cells of `own`, the older ones of `again`."""
    pane = name.split(":")[1]
    clock = own[f"clock:{pane}"].astype(np.int64)[:, None]
    length = own[name].shape[1]
    age = (clock - np.arange(length)) % length
    found: NDArray[np.generic] = np.where(age < panes, own[name], again[name])
    return found
