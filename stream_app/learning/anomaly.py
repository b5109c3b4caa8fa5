"""How unusual users are: River's half-space trees, over a week's users and their own scale.

Grown anew from each week's users, so that neither a first week in which nobody had done much nor
one user with a million samples decides what is usual from then on.

Limits are what they hinge on. Measured on three populations of generated users of whom 1 % have a
hundred times the events (10 features): how many of those are among the 2 % with the highest scores.
Between the least and the greatest value seen, with indicators of missing values: .1 to .9, by
chance. Within five spreads of the median: .1 to 1. Without indicators, which take half of all
splits and say little: all, whatever the seed; with 15 trees .2 to 1, with 50 no more than with 25.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from river import anomaly

from stream_app.learning.scale import spread_of
from stream_app.learning.scorers import HalfSpaceTrees
from stream_app.learning.scoring import score
from stream_app.learning.snapshot import State
from stream_app.learning.thresholds import for_top_share
from stream_app.learning.transform import Design, Floats

TREES: Final = 25
HEIGHT: Final = 6
#: Spreads from the median beyond which users are no more unusual.
REACH: Final = 5.0
#: Users without whom nobody is called unusual.
LEAST_SCORED: Final = 1_000
#: Vectors walked through trees at a time: (vectors, trees) stays in the cache.
_SLICE: Final = 2_000


class Judged(NamedTuple):
    """Trees, the score from which on a user is unusual if there is one, and how they score."""

    trees: HalfSpaceTrees
    thresholds: list[float]
    state: State
    figures: dict[str, float | None]


def judge(values: Floats, columns: Sequence[str], top: float, seed: int) -> Judged | None:
    """Return trees over vectors (n, c) by which the share `top` is unusual; None if none varies.

    Where equal scores make no such share, nobody is.
    """
    trees = grow(values, columns, seed)
    if trees is None:
        return None
    scores = score(trees, values)
    enough = len(scores) >= LEAST_SCORED
    threshold = for_top_share(scores, top) if enough else None
    middle = float(np.median(scores))
    if threshold is None:
        state: State = "unreachable" if enough else "warming"
        return Judged(trees, [], state, {"median": middle, "share": None})
    share = float(np.mean(scores >= threshold))
    return Judged(trees, [threshold], "live", {"median": middle, "share": share})


def grow(
    values: Floats, columns: Sequence[str], seed: int, trees: int = TREES, height: int = HEIGHT
) -> HalfSpaceTrees | None:
    """Return trees through which the vectors (n, c) of `columns` have gone; None if none varies.

    Every vector counts once and in no order. NaN is missing; an infinite value is the greatest one
    that counts. `seed` chooses where the trees split: of a like scale, it is at like places.
    """
    design = Design(columns)
    rows = design.matrix(values)
    usual = np.array([spread_of(column) for column in rows.T]).reshape(-1, 2)
    median, spread = usual[:, 0], usual[:, 1]
    # The indicators' limits are one point: no tree splits there.
    reach = np.where(np.arange(len(median)) < len(columns), REACH * spread, 0.0)
    reach[np.ptp(rows, axis=0) == 0 if len(rows) else slice(None)] = 0.0
    if not reach.any():
        return None
    low, high = median - reach, median + reach
    feature, threshold = _grown(tuple((reach > 0).tolist()), seed, trees, height)
    cuts = low[feature] + threshold * (high - low)[feature]
    return HalfSpaceTrees(
        names=list(design.names),
        low=low.tolist(),
        high=high.tolist(),
        window=len(rows),
        feature=feature.tolist(),
        threshold=cuts.tolist(),
        mass=_masses(rows.clip(low, high), feature, cuts).tolist(),
        median=median.tolist(),
        spread=spread.tolist(),
    )


@lru_cache(maxsize=4)
def _grown(
    varies: tuple[bool, ...], seed: int, trees: int, height: int
) -> tuple[NDArray[np.intp], Floats]:
    """Return the names (trees, inner nodes) that River's trees split, and where within 0 to 1.

    River chooses a name by the width of its limits, which should not depend on units.
    """
    limits: Any = {i: (0.0, float(wide)) for i, wide in enumerate(varies)}
    # River's trees carry no types.
    forest: Any = anomaly.HalfSpaceTrees(trees, height, 1, limits, seed)
    forest.learn_one(dict.fromkeys(limits, 0.0))
    nodes = [list(_by_level(tree))[: 2**height - 1] for tree in forest.trees]
    feature = np.array([[node.feature for node in tree] for tree in nodes], dtype=np.intp)
    return feature, np.array([[node.threshold for node in tree] for tree in nodes])


def _masses(rows: Floats, feature: NDArray[np.intp], cuts: Floats) -> NDArray[np.int64]:
    """Count how many of the rows (n, w) come through each node (trees, nodes)."""
    trees, inner = feature.shape
    tree, nodes = np.arange(trees), 2 * inner + 1
    found = np.zeros(trees * nodes, dtype=np.int64)
    for first in range(0, len(rows), _SLICE):
        some = rows[first : first + _SLICE]
        at = np.arange(len(some))[:, None]
        node = np.zeros((len(some), trees), dtype=np.intp)
        for depth in range((inner + 1).bit_length()):
            if depth:
                node = 2 * node + 1 + (some[at, feature[tree, node]] >= cuts[tree, node])
            found += np.bincount((tree * nodes + node).ravel(), minlength=len(found))
    return found.reshape(trees, nodes)


def _by_level(tree: Any) -> Iterator[Any]:
    """Yield a complete tree's nodes level by level."""
    level = [tree]
    while level:
        yield from level
        level = [child for node in level for child in getattr(node, "children", ())]
