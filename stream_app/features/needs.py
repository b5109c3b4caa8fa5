"""Which storage each kind of feature needs, with the window (in panes) that it reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from stream_app.features.declaration import Declaration
from stream_app.features.selectors import GROUPS, Source
from stream_app.features.storage import (
    TOP_SLOTS,
    USUAL_SLOTS,
    Bought,
    Latest,
    Registers,
    Ring,
    SessionEnd,
    Slots,
    Storage,
)
from stream_app.features.windows import ALL

#: Every event: the row's own first and last seen tell of it.
EVERYTHING: Final = Source(GROUPS["any"])


def needs(declaration: Declaration) -> list[tuple[Storage, int]]:
    """Storage of one feature; a ratio and a tenure need none of their own."""
    source, window = declaration.source, declaration.window
    match declaration.kind:
        case "count" | "active_days":
            return [(Ring("count", source, window.pane), window.panes)]
        case "share":
            rings = share_rings(declaration)
            return [(ring, window.panes) for ring in rings]
        case "sum" | "max":
            return [(Ring(declaration.kind, source, window.pane), window.panes)]
        case "mean":
            return [(ring, window.panes) for ring in mean_rings(declaration)]
        case "sessions":
            ring = Ring("session", source, window.pane)
            return [(ring, window.panes), (SessionEnd(source), 1)]
        case "cancellations":
            ring = Ring("cancellation", source, window.pane)
            return [(ring, window.panes), (Bought(source), 1)]
        case "distinct":
            return [(Registers(source, window.pane), window.panes)]
        case "hours_since" if source != EVERYTHING:
            return [(Ring("since", source, ALL), 1)]
        case "top" | "usual":
            return [(slots_of(declaration), 1)]
        case "last":
            return [(Latest(source), 1)]
    return []


def share_rings(declaration: Declaration) -> tuple[Ring, Ring]:
    """Matching events, and all of the selector."""
    source, pane = declaration.source, declaration.window.pane
    return Ring("count", source, pane), Ring("count", replace(source, where=""), pane)


def mean_rings(declaration: Declaration) -> tuple[Ring, Ring]:
    """Sum and count of the units that carry the field."""
    source, pane = declaration.source, declaration.window.pane
    return Ring("sum", source, pane), Ring("count", source, pane)


def slots_of(declaration: Declaration) -> Slots:
    """Slots of a `top` or `usual` feature."""
    count = TOP_SLOTS if declaration.kind == "top" else USUAL_SLOTS
    return Slots(declaration.source, count, declaration.half_life_ms, declaration.weights)
