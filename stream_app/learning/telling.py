"""Telling why: features by family, and a user's value against what is typical."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.changes import Because

#: Families named for a change.
TOP: Final = 3


def members(
    columns: Sequence[str], families: Mapping[str, str]
) -> tuple[list[str], NDArray[np.bool_]]:
    """Return the families (f) of columns, in their order, and which columns (f, c) are of each.

    A column that no family has is one of its own.
    """
    names = [families.get(column, column) for column in columns]
    distinct = list(dict.fromkeys(names))
    return distinct, np.array([[name == family for name in names] for family in distinct])


def told(
    feature: str,
    value: float | None,
    typical: float | None,
    family: str,
    contribution: float | None = None,
) -> Because:
    """A true comparison of a value with the typical one; NaN and None are missing."""
    value, typical = _number(value), _number(typical)
    if typical is not None:
        # Out of the logarithm and back, 18 is 17.999999999999996.
        same = value is not None and math.isclose(value, typical, abs_tol=1e-9)
        typical = value if same else float(f"{typical:.9g}")
    if value is None:
        return Because(feature, None, "missing", None, contribution, typical, family)
    if typical is None:
        return Because(feature, value, "has", None, contribution, None, family)
    op = ">" if value > typical else "<" if value < typical else "=="
    return Because(feature, value, op, typical, contribution, typical, family)


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
