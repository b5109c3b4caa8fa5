"""Rows of an older catalogue under a new one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import Field, Layout, Rows, convert
from stream_app.features.windows import ALL, NO_PANE, PANE_NAMES

_RINGS = ("count", "session", "cancellation", "sum", "max", "since")


def migrate(rows: Rows, old: Layout, new: Layout) -> Rows:
    """Convert rows field by name; what the old layout did not keep starts blank.

    Rings of another length keep the panes that fit; a longer one knows nothing of the panes
    before those it kept.
    """
    return convert(rows, old, new, _resize)


def _resize(rows: Rows, old: Field, new: Field) -> NDArray[Any]:
    """Put every pane of a ring where a ring of the new length has it."""
    blank = np.full((len(rows), *new.shape), new.fill, new.dtype)
    kind, _, rest = old.name.partition(":")
    pane = rest.partition(":")[0]
    if kind not in _RINGS or pane not in PANE_NAMES[:ALL]:
        return blank
    clock = rows[f"clock:{pane}"].astype(np.int64)[:, None]
    length, wanted = old.shape[0], new.shape[0]
    age = (clock - np.arange(wanted)) % wanted
    known = (age < length) & (clock != NO_PANE)
    cells = np.take_along_axis(rows[old.name], (clock - age) % length, axis=1)
    return np.where(known, cells, blank)
