"""The changelog read by what it says of itself: transactions, and numbers in rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from chaos.records import Record

META = b"\0meta"
LAYOUT = b"\0layout:"
#: Fields of a row, as its description names them: all events ever, cents ever, changes of tags,
#: when it began.
EVENTS, CENTS, VERSION, BORN = "count:all:any", "sum:all:purchase.value", "version", "born"

#: A partition of `clicks`, of `purchases`, or of `routed`, by these names; and offsets in them.
Input = tuple[str, int]
Positions = dict[Input, int]


class Row(NamedTuple):
    """What a row says of a user; None where the changelog forgets him."""

    user: str
    counted: tuple[int, int] | None
    version: int
    born: int
    at: Record


class Transaction(NamedTuple):
    """What one transaction wrote: how far inputs are folded, partition time, rows by user.

    A round that passes the end of a day writes a user twice: as he was then, and as he is after it.
    So does one in which he is forgotten.
    `epoch` is how often the number of partitions had been changed. While it is changed (`moving`),
    rows of several transactions are in one of these.
    """

    following: Positions
    time: int
    epoch: int
    moving: bool
    rows: dict[str, list[Row]]
    at: Record


def positions(meta: Mapping[str, Any], number: int) -> Positions:
    """Next offsets of a `\\0meta` of partition `number`: `clicks:9` is another partition's name."""
    found = {}
    for name, offset in meta["next"].items():
        topic, _, partition = name.partition(":")
        found[topic, int(partition or number)] = offset
    return found


def transactions(records: Sequence[Record]) -> Iterator[Transaction]:
    """The transactions of a partition; each begins with its `\\0meta`. ValueError if not so."""
    layouts: dict[bytes, np.dtype[Any]] = {}
    current: Transaction | None = None
    for record in records:
        key, value = record.key or b"", record.value
        if key == META:
            if current is not None:
                yield current
            current = _begun(record)
        elif key.startswith(LAYOUT):
            layouts[bytes.fromhex(key[len(LAYOUT) :].decode())[::-1]] = _dtype(value or b"")
        elif not key.startswith(b"\0"):
            if current is None:
                raise ValueError(f"{record}: a row before any offsets")
            row = _row(record, layouts)
            current.rows.setdefault(row.user, []).append(row)
    if current is not None:
        yield current


def _begun(record: Record) -> Transaction:
    meta = json.loads(record.value or b"{}")
    epoch, moving = len(meta.get("was", ())), bool(meta.get("busy"))
    following = positions(meta, record.partition)
    return Transaction(following, meta["time"], epoch, moving, {}, record)


def cuts(changelog: Sequence[Sequence[Record]]) -> dict[int, Positions]:
    """By epoch: how far inputs had been folded when it began, whoever read them."""
    found: dict[int, Positions] = {0: {}}
    for records in changelog:
        known = {0}
        for record in records:
            if record.key == META and (begun := _begun(record)).epoch not in known:
                known.add(begun.epoch)
                found.setdefault(begun.epoch, {}).update(begun.following)
    return found


def _dtype(description: bytes) -> np.dtype[Any]:
    fields = json.loads(description)["fields"]
    return np.dtype(
        [("layout", "<u8"), *((name, kind, tuple(shape)) for name, kind, shape, *_ in fields)]
    )


def _row(record: Record, layouts: dict[bytes, np.dtype[Any]]) -> Row:
    user = (record.key or b"").decode()
    if record.value is None:
        return Row(user, None, 0, 0, record)
    dtype = layouts.get(record.value[:8])
    if dtype is None:
        raise ValueError(f"{record}: a row of a layout that nothing describes")
    row = np.frombuffer(record.value[: dtype.itemsize], dtype)[0]
    counted = int(row[EVENTS].item()), int(row[CENTS].item())
    return Row(user, counted, int(row[VERSION]), int(row[BORN]), record)
