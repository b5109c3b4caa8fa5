"""How each kind of feature makes its column of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from stream_app.domain.batch import MISSING
from stream_app.features.declaration import Declaration
from stream_app.features.distinct import estimate
from stream_app.features.needs import EVERYTHING, mean_rings, needs, share_rings, slots_of
from stream_app.features.rings import Geometry, Place
from stream_app.features.selectors import MONEY_FIELDS
from stream_app.features.slots import heaviest, usual
from stream_app.features.storage import NEVER, Latest, Registers, Ring
from stream_app.features.values import Floats, Make, Values, Weighted, amount, elapsed, ratio, text
from stream_app.features.windows import ALL, HOUR_MS


def maker(declaration: Declaration, geometry: Geometry, minor_per_major: float) -> Make:
    """What computes the feature's column from the values it is one of."""
    source, window = declaration.source, declaration.window.panes
    scale = minor_per_major if source.field in MONEY_FIELDS else 1.0
    match declaration.kind:
        case "count" | "sessions" | "cancellations":
            return _sum(geometry, _ring(declaration), window)
        case "sum":
            total = _sum(geometry, _ring(declaration), window)
            return lambda values: total(values) / scale
        case "mean":
            total, counted = (_sum(geometry, r, window) for r in mean_rings(declaration))
            return lambda values: ratio(total(values) / scale, counted(values))
        case "max":
            ring = _ring(declaration)
            return lambda values: amount(values.reader.max(ring, window), scale)
        case "share":
            matching, every = (_sum(geometry, r, window) for r in share_rings(declaration))
            return lambda values: ratio(matching(values), every(values))
        case "active_days":
            ring = _ring(declaration)
            return lambda values: values.reader.days(ring, window)
        case "distinct":
            registers = Registers(source, declaration.window.pane)
            return lambda values: estimate(values.rows, registers, window, values.now)
    return _timeless(declaration)


def _timeless(declaration: Declaration) -> Make:
    match declaration.kind:
        case "hours_since":
            field = since_field(declaration)
            return lambda values: elapsed(values.now, _cell(values, field), HOUR_MS, MISSING)
        case "tenure":
            unit = declaration.unit_ms
            return lambda values: elapsed(values.now, values.rows["first_seen"], unit, NEVER)
        case "last":
            code = f"{Latest(declaration.source).name}:code"
            return lambda values: text(values.rows[code], values.strings)
        case "usual":
            slots = slots_of(declaration)
            return lambda values: text(usual(values.rows, slots), values.strings)
        case "top":
            slots = slots_of(declaration)
            return lambda values: Weighted(*heaviest(values.rows, slots), values.strings.values)
    above, below = declaration.of
    return lambda values: ratio(values.number(above), values.number(below))


def since_field(declaration: Declaration) -> str:
    """The row's field with the time that an `hours_since` feature measures from."""
    if declaration.source == EVERYTHING:
        return "last_seen"
    return Ring("since", declaration.source, ALL).name


def elapsed_units(declarations: Mapping[str, Declaration]) -> dict[str, tuple[str, int]]:
    """Field and unit (ms) of the features that tell the time since an event."""
    found = {}
    for name, declaration in declarations.items():
        if declaration.kind == "hours_since":
            found[name] = (since_field(declaration), HOUR_MS)
        elif declaration.kind == "tenure":
            found[name] = ("first_seen", declaration.unit_ms)
    return found


def _sum(geometry: Geometry, ring: Ring, window: int) -> Callable[[Values], Floats]:
    place = geometry.places[ring]
    return partial(_read_sum, place=place, window=place.windows.index(window))


def _read_sum(values: Values, place: Place, window: int) -> Floats:
    return values.reader.sum(place, window)


def _ring(declaration: Declaration) -> Ring:
    storage, _ = needs(declaration)[0]
    assert isinstance(storage, Ring)
    return storage


def _cell(values: Values, field: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return values.rows[field].reshape(len(values.rows))
