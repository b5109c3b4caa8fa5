"""Fixed-size rows: named fields compiled to one structured numpy dtype, without gaps inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from math import prod
from typing import Any, Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.void]

#: Every row starts with the fingerprint of the layout that wrote it.
FINGERPRINT_FIELD: Final = "layout"
_PADDING: Final = "padding"
_RESERVED: Final = frozenset({FINGERPRINT_FIELD, _PADDING})
_ALIGNMENT: Final = 8


@dataclass(frozen=True, slots=True)
class Field:
    """A named place in a row: `shape` elements of `dtype`, `fill` when nothing is known yet.

    Fields with the same block, dtype and shape lie next to each other, in declared order.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] = ()
    block: str = ""
    fill: int | float = 0

    @property
    def item_size(self) -> int:
        return np.dtype(self.dtype).itemsize

    @property
    def size(self) -> int:
        """Bytes in a row."""
        return self.item_size * prod(self.shape)


#: `resize(rows, old, new)`: values of `new` for rows of the old layout, shape (n, *new.shape).
Resize = Callable[[Rows, Field, Field], NDArray[Any]]


@dataclass(frozen=True)
class Layout:
    """A row's fields and where they lie; widest items first, so that all are aligned.

    The row's size is a multiple of 8 bytes, which lets a whole array of rows be read as one
    flat array of any of the item types.
    """

    fields: tuple[Field, ...]

    @classmethod
    def of(cls, fields: Sequence[Field]) -> Self:
        """Arrange the fields; ValueError for a name that is taken, or a block of unequal fields."""
        names = [field.name for field in fields]
        twice = {name for name in names if names.count(name) > 1} | {*names} & _RESERVED
        if twice:
            raise ValueError(f"names used twice or reserved: {sorted(twice)}")
        groups: dict[object, list[Field]] = {}
        for field in fields:
            key = field.block or (field.name,)
            group = groups.setdefault(key, [])
            if group and (group[0].dtype, group[0].shape) != (field.dtype, field.shape):
                raise ValueError(f"{field.name} differs in shape from the rest of {field.block}")
            group.append(field)
        ordered = sorted(groups.values(), key=lambda group: -group[0].item_size)
        head = Field(FINGERPRINT_FIELD, "<u8")
        return cls((head, *(field for group in ordered for field in group)))

    @cached_property
    def offsets(self) -> dict[str, int]:
        """Where each field starts in a row, in bytes."""
        offsets: dict[str, int] = {}
        end = 0
        for field in self.fields:
            offsets[field.name] = end
            end += field.size
        return offsets

    @cached_property
    def size(self) -> int:
        """Bytes of a row."""
        end = sum(field.size for field in self.fields)
        return -(-end // _ALIGNMENT) * _ALIGNMENT

    @cached_property
    def dtype(self) -> np.dtype[np.void]:
        # Padding is a field of its own: numpy drops any other when it joins arrays of rows.
        padding = self.size - sum(field.size for field in self.fields)
        fields = [(field.name, field.dtype, field.shape) for field in self.fields]
        return np.dtype([*fields, *([(_PADDING, "<u1", (padding,))] if padding else [])])

    @cached_property
    def fingerprint(self) -> int:
        """64 bits of names, dtypes and shapes in order; the same on every machine."""
        text = msgspec.json.encode([(f.name, f.dtype, f.shape) for f in self.fields])
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")

    def field(self, name: str) -> Field:
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def blank(self, n: int = 1) -> Rows:
        """n rows of which nothing is known."""
        return np.repeat(self._blank, n)

    def index(self, block: str) -> list[str]:
        """Names of a block's fields, in the order of the block's second axis."""
        return [field.name for field in self.fields if field.block == block]

    def block(self, rows: Rows, name: str) -> NDArray[Any]:
        """A view (n, k, *shape) of a block's k fields in n rows; the rows must be contiguous."""
        view: NDArray[Any] = rows.view(self._block_dtype)[name]
        return view

    def describe(self) -> dict[str, Any]:
        """What `from_description` needs to read rows of this layout later; plain JSON values."""
        fields = [[f.name, f.dtype, list(f.shape), f.block, f.fill] for f in self.fields[1:]]
        return {"fingerprint": str(self.fingerprint), "size": self.size, "fields": fields}

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Self:
        """The layout that `describe` told of; ValueError when its fingerprint does not fit."""
        layout = cls.of(
            [
                Field(name, dtype, tuple(shape), block, fill)
                for name, dtype, shape, block, fill in description["fields"]
            ]
        )
        if str(layout.fingerprint) != description["fingerprint"]:
            raise ValueError("a layout's description does not fit its fingerprint")
        return layout

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}

    @cached_property
    def _blank(self) -> Rows:
        row = np.zeros(1, self.dtype)
        for field in self.fields:
            row[field.name] = field.fill
        row[FINGERPRINT_FIELD] = self.fingerprint
        return row

    @cached_property
    def _block_dtype(self) -> np.dtype[np.void]:
        blocks: dict[str, list[Field]] = {}
        for field in self.fields:
            if field.block:
                blocks.setdefault(field.block, []).append(field)
        return np.dtype(
            {
                "names": list(blocks),
                "formats": [(g[0].dtype, (len(g), *g[0].shape)) for g in blocks.values()],
                "offsets": [self.offsets[group[0].name] for group in blocks.values()],
                "itemsize": self.size,
            }
        )


def convert(rows: Rows, old: Layout, new: Layout, resize: Resize | None = None) -> Rows:
    """Rows of the old layout as rows of the new one, field by name.

    Fields that the old layout lacks start blank, as do those of another dtype or shape unless
    `resize` tells their values; fields that the new one lacks are dropped.
    """
    converted = new.blank(len(rows))
    for field in new.fields:
        if field.name == FINGERPRINT_FIELD or field.name not in old:
            continue
        before = old.field(field.name)
        if (before.dtype, before.shape) == (field.dtype, field.shape):
            converted[field.name] = rows[field.name]
        elif resize is not None and before.dtype == field.dtype:
            converted[field.name] = resize(rows, before, field)
    return converted
