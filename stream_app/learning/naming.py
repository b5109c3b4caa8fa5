"""Names of segments, made from what sets them apart: "big baskets · weekend · few visits"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: Words for a feature that is low, and for one that is high.
Words = Mapping[str, tuple[str, str]]

BETWEEN: Final = " · "
#: The name of a segment that nothing sets apart.
TYPICAL: Final = "typical"
#: How many spreads from the population's median a feature must be to enter a name, and to stay.
ENTERS: Final = 0.5
STAYS: Final = 0.25
#: Characters that a name may have, but for a number at its end.
LONGEST: Final = 240
_MOST: Final = 3


def traits(centre: Floats, features: Sequence[str], words: Words, least: float) -> list[str]:
    """Return in words what is at least `least` spreads (w,) from the median, farthest first."""
    order = np.argsort(-np.abs(centre), kind="stable")
    return [_word(features[j], centre[j], words) for j in order if abs(centre[j]) >= least]


def names_of(
    centres: Floats,
    features: Sequence[str],
    words: Words,
    before: Sequence[str | None] = (),
) -> tuple[str, ...]:
    """Return a distinct name for each centre (k, w), in units of spread from the median.

    A segment keeps its name of `before` (k) while all its words are still true of it.
    """
    kept = list(before) or [None] * len(centres)
    names = [
        old if old is not None and _holds(old, centre, features, words) else None
        for old, centre in zip(kept, centres, strict=True)
    ]
    for i, centre in enumerate(centres):
        if names[i] is None:
            found = traits(centre, features, words, ENTERS)
            names[i] = _distinct(found, {name for name in names if name is not None})
    return tuple(name or TYPICAL for name in names)


def _word(feature: str, z: float, words: Words) -> str:
    low, high = words.get(feature, (f"low {feature}", f"high {feature}"))
    return high if z > 0 else low


def _holds(name: str, centre: Floats, features: Sequence[str], words: Words) -> bool:
    said = name.split(BETWEEN)
    true = set(traits(centre, features, words, STAYS))
    return all(word in true for word in said)


def _distinct(found: Sequence[str], taken: set[str]) -> str:
    """The shortest name of `_MOST` words or more that is not taken, else a numbered one."""
    # Two features may be worded alike: once is enough.
    words = list(dict.fromkeys(found))
    for length in range(min(_MOST, len(words)), len(words) + 1):
        name = BETWEEN.join(words[:length]) or TYPICAL
        if name not in taken and len(name) <= LONGEST:
            return name
    base = BETWEEN.join(words[:_MOST])[:LONGEST] or TYPICAL
    return next(name for i in range(2, len(taken) + 3) if (name := f"{base} {i}") not in taken)
