"""What is unusual about a user: the families of features that are farthest from the population."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from stream_app.domain.changes import Because
from stream_app.learning.scorers import HalfSpaceTrees
from stream_app.learning.telling import TOP, members, told
from stream_app.learning.transform import Design, Floats, columns_of, expand

#: A median of the indicators above this: most users have no value.
_MOSTLY: Final = 0.5


def reasons(scorer: HalfSpaceTrees, vector: Floats, families: Mapping[str, str]) -> list[Because]:
    """Return what sets a vector (c,) apart, the farthest first: at most TOP families.

    A family is as far as its farthest feature, in spreads from the population's median; a missing
    value, or one where most have none, as far as its indicator.
    """
    columns = columns_of(scorer.names)
    count, median = len(columns), np.array(scorer.median)
    off = Design(columns).matrix(vector[None])[0] - median
    z = np.abs(off / np.array(scorer.spread))
    rare = median[count:] > _MOSTLY
    far = np.where(np.isnan(vector) | rare, z[count:], z[:count])
    usual = np.where(rare, np.nan, expand(median[:count]))
    names, member = members(columns, families)
    apart = np.where(member, far, -1.0)
    found = []
    for f in np.argsort(-apart.max(axis=1), kind="stable")[:TOP].tolist():
        j = int(apart[f].argmax())
        if far[j] > 0:
            found.append(told(columns[j], vector[j], usual[j], names[f]))
    return found
