"""What every family of features adds to a score; `reasons` tells the most telling ones only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from stream_app.learning.reasons import Reason, reasons
from stream_app.learning.scorers import Logistic
from stream_app.learning.transform import Floats, columns_of


def every_family(scorer: Logistic, vector: Floats, families: Mapping[str, str]) -> Iterator[Reason]:
    """Yield what each family adds to the logit of a vector (1, c), in the order of the columns.

    The sum, and that of the scorer's `reference` and intercept, is the logit. Of a family that
    adds nothing its first feature is told.
    """
    columns = columns_of(scorer.names)
    names = [families.get(column, column) for column in columns]
    for family in dict.fromkeys(names):
        member = np.array([name == family for name in names] * 2)
        alone = replace(
            scorer,
            weights=np.where(member, scorer.weights, 0.0).tolist(),
            reference=np.where(member, scorer.reference, 0.0).tolist(),
        )
        told = [
            found
            for direction in (1.0, -1.0)
            for found in reasons(alone, vector, [0], families, direction)[0]
        ]
        yield told[0] if told else _silent(family, columns[names.index(family)], vector, columns)


def _silent(family: str, feature: str, vector: Floats, columns: Sequence[str]) -> Reason:
    value = float(vector[0, columns.index(feature)])
    return Reason(family, 0.0, feature, None if np.isnan(value) else value, None)
