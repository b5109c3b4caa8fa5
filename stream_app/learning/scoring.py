"""Scores of whole batches from snapshots: nothing but numpy, a user's row by itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

from stream_app.learning.logs import Logs
from stream_app.learning.panel import Panel, sigmoid
from stream_app.learning.scorers import HalfSpaceTrees, Logistic, Scorer
from stream_app.learning.transform import Floats, columns_of
from stream_app.learning.trees import Trees

__all__ = ["Score", "compiled", "score", "sigmoid"]

Score = Callable[[Floats], Floats]


def score(scorer: Scorer, values: Floats) -> Floats:
    """Return the scores (n,) of vectors (n, c): probabilities, or anomaly scores in 0..1.

    NaN is missing; every score is a number, and does not depend on the batch it is taken in.
    """
    return compiled(scorer)(values)


@singledispatch
def compiled(scorer: object) -> Score:
    """Return a scorer as a function of vectors (n, c), for those who score often."""
    raise TypeError(f"no scores from {type(scorer).__name__}")


@compiled.register
def _logistic(scorer: Logistic) -> Score:
    columns, panel = columns_of(scorer.names), Panel([scorer])

    def scores(values: Floats) -> Floats:
        found: Floats = panel.scores(Logs.of(columns, values))[0]
        return found

    return scores


@compiled.register
def _half_space_trees(scorer: HalfSpaceTrees) -> Score:
    trees = Trees(scorer)
    return lambda values: trees.scores(Logs.of(trees.names, values))
