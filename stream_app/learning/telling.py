"""Telling why: features by family, and a user's value against what is typical."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.because import Because
from stream_app.learning.transform import Floats

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


def rounded(typical: Floats) -> list[float | None]:
    """Typical values (c,) as they are told: out of the logarithm, 18 is 17.999999999999996."""
    return [float(f"{x:.9g}") if math.isfinite(x) else None for x in typical.tolist()]


def told(
    feature: str,
    value: float,
    typical: float | None,
    family: str,
    contribution: float | None = None,
) -> Because:
    """A true comparison of a value, NaN where missing, with the typical one as told."""
    if not math.isfinite(value):
        return Because(feature, None, "missing", None, contribution, typical, family)
    if typical is None:
        return Because(feature, value, "has", None, contribution, None, family)
    if math.isclose(value, typical, abs_tol=1e-9):
        return Because(feature, value, "==", value, contribution, value, family)
    op = ">" if value > typical else "<"
    return Because(feature, value, op, typical, contribution, typical, family)
