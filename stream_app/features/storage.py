"""What a row keeps for its features; features that need the same thing share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from stream_app.domain.batch import MISSING, TOPICS
from stream_app.domain.layout import Field
from stream_app.features.selectors import Source
from stream_app.features.windows import ALL, NO_PANE, PANE_NAMES

NEVER: Final = 2**63 - 1
#: Registers of one approximate set of distinct texts, and the age that marks an empty one.
REGISTERS: Final = 64
EMPTY: Final = 255
#: Event ids remembered for a user and topic.
REMEMBERED: Final = 32
#: Time of a session's latest click before the first; far away, yet safe to subtract from.
LONG_AGO: Final = -(1 << 61)
TOP_SLOTS: Final = 8
USUAL_SLOTS: Final = 3
#: Purchases kept of a user to tell a cancellation, and the numbers kept of each.
KEPT: Final = 4
PURCHASE_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Ring:
    """Numbers by pane. `kind` is count, session, cancellation, sum, max or since (the latest event
    time)."""

    kind: str
    source: Source
    pane: int

    @property
    def name(self) -> str:
        return f"{self.kind}:{PANE_NAMES[self.pane]}:{self.source}"

    @property
    def group(self) -> str:
        """Rings of a group have the same dtype and the same way to add to a cell."""
        if self.kind in ("count", "session", "cancellation"):
            return "total" if self.pane == ALL else "count"
        return "sum" if self.kind == "sum" else "peak"


@dataclass(frozen=True, slots=True)
class Registers:
    """Ages of 64 hash registers, for the number of distinct texts of a source's field."""

    source: Source
    pane: int

    @property
    def name(self) -> str:
        return f"distinct:{PANE_NAMES[self.pane]}:{self.source}"


@dataclass(frozen=True, slots=True)
class Slots:
    """The heaviest texts of a source's field with weights that halve in `half_life_ms`."""

    source: Source
    count: int
    half_life_ms: int
    weights: tuple[float, ...]

    @property
    def name(self) -> str:
        plain = set(self.weights) <= {1.0}
        weights = "" if plain else ":" + ",".join(f"{weight:g}" for weight in self.weights)
        return f"slots{self.count}:{self.half_life_ms}:{self.source}{weights}"


@dataclass(frozen=True, slots=True)
class Latest:
    """The text of the latest event that carries the source's field."""

    source: Source

    @property
    def name(self) -> str:
        return f"last:{self.source}"


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """Time of the latest event, to tell where a session starts."""

    source: Source

    @property
    def name(self) -> str:
        return f"session_end:{self.source}"


@dataclass(frozen=True, slots=True)
class Bought:
    """The latest purchases that carry the source's field, to find what a refund pays back."""

    source: Source

    @property
    def name(self) -> str:
        return f"bought:{self.source}"


Storage = Ring | Registers | Slots | Latest | SessionEnd | Bought
DTYPES: Final = {"count": "<u2", "total": "<u4", "sum": "<i8", "peak": "<i8"}
FILLS: Final = {"count": 0, "total": 0, "sum": 0, "peak": MISSING}


def block_of(ring: Ring, length: int) -> str:
    """Rings of one group, pane width and length form a block of the row."""
    return f"{ring.group}:{PANE_NAMES[ring.pane]}:{length}"


def fields_of(storage: Storage, windows: Iterable[int]) -> tuple[Field, ...]:
    """A row's fields for one storage; `windows` in panes, as read by features."""
    name = storage.name
    if isinstance(storage, Ring):
        length, group = max(windows), storage.group
        block = block_of(storage, length)
        return (Field(name, DTYPES[group], (length,), block, FILLS[group]),)
    if isinstance(storage, Registers):
        block = f"distinct:{PANE_NAMES[storage.pane]}"
        return (Field(name, "<u1", (REGISTERS,), block, EMPTY),)
    if isinstance(storage, Slots):
        k = storage.count
        return (
            Field(f"{name}:weight", "<f8", (k,), f"slot_weight:{k}"),
            Field(f"{name}:code", "<u2", (k,), f"slot_code:{k}"),
            Field(f"{name}:epoch", "<i4", (), f"slot_epoch:{k}"),
        )
    if isinstance(storage, Latest):
        return (
            Field(f"{name}:at", "<i8", (), "last_at", MISSING),
            Field(f"{name}:hash", "<u4", (), "last_hash"),
            Field(f"{name}:code", "<u2", (), "last_code"),
        )
    if isinstance(storage, Bought):
        return (Field(name, "<u4", (KEPT, PURCHASE_PARTS)),)
    return (Field(name, "<i8", (), "session_end", LONG_AGO),)


def header(panes: Iterable[int], topics: Iterable[int]) -> tuple[Field, ...]:
    """Fields that every row has: times in epoch ms, clocks in panes, and remembered event ids."""
    return (
        Field("born", "<i8"),
        Field("first_seen", "<i8", fill=NEVER),
        Field("last_seen", "<i8", fill=MISSING),
        Field("version", "<u4"),
        *(Field(f"clock:{PANE_NAMES[pane]}", "<i4", fill=NO_PANE) for pane in sorted(panes)),
        *(Field(f"ids:{topic}", "<u4", (REMEMBERED,), "ids") for topic in sorted(topics)),
        *(Field(f"ids_head:{topic}", "<u1", (), "ids_head") for topic in sorted(topics)),
    )


def row_fields(storages: Mapping[Storage, set[int]]) -> tuple[Field, ...]:
    """All fields of a row."""
    panes = {s.pane for s in storages if isinstance(s, Ring | Registers)} - {ALL}
    fields = [*header(panes, range(len(TOPICS)))]
    for storage, windows in storages.items():
        fields += fields_of(storage, windows)
    return tuple(fields)


def holds_codes(field: str) -> bool:
    """Whether a row's field of that name holds codes of its partition's dictionary."""
    return field.startswith(("slots", "last:")) and field.endswith(":code")
