"""Scores of whole batches from snapshots: nothing but numpy, a user's row by itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Final

import numpy as np

from stream_app.learning.scorers import HalfSpaceTrees, Logistic, Scorer
from stream_app.learning.transform import Design, Floats

Score = Callable[[Floats], Floats]
#: Vectors walked through trees at a time: (vectors, trees) stays in the cache.
_SLICE: Final = 2_000


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
    design = _design(scorer)
    mean, scale, weights = map(np.array, (scorer.mean, scorer.scale, scorer.weights))
    a, b = scorer.platt or (1.0, 0.0)

    def scores(values: Floats) -> Floats:
        # Not a matrix product: that may round a row otherwise in another batch.
        terms = weights * ((design.matrix(values) - mean) / scale)
        return sigmoid(a * (terms.sum(axis=1) + scorer.intercept) + b)

    return scores


@compiled.register
def _half_space_trees(scorer: HalfSpaceTrees) -> Score:
    design = _design(scorer)
    low, high = np.array(scorer.low), np.array(scorer.high)
    walk = _walk(scorer)

    def scores(values: Floats) -> Floats:
        found = np.empty(len(values))
        for i in range(0, len(values), _SLICE):
            found[i : i + _SLICE] = walk(design.matrix(values[i : i + _SLICE]).clip(low, high))
        return found

    return scores


def _design(scorer: Logistic | HalfSpaceTrees) -> Design:
    design = Design(scorer.names[: len(scorer.names) // 2])
    if list(design.names) != scorer.names:
        raise ValueError("names are not columns and then their indicators")
    return design


def sigmoid(logits: Floats) -> Floats:
    """Return the probabilities of logits."""
    # Beyond 700 the exponential overflows and the answer has long been 0.
    probabilities: Floats = 1.0 / (1.0 + np.exp(-np.clip(logits, -700.0, 700.0)))
    return probabilities


def _walk(scorer: HalfSpaceTrees) -> Score:
    feature = np.array(scorer.feature, dtype=np.intp)
    threshold, mass = np.array(scorer.threshold), np.array(scorer.mass, dtype=np.float64)
    trees, inner = feature.shape
    nodes = mass.shape[1]
    tree = np.arange(trees)
    limit, most = 0.1 * scorer.window, trees * scorer.window * nodes
    height = inner.bit_length()

    def scores(design: Floats) -> Floats:
        rows = np.arange(len(design))[:, None]
        node = np.zeros((len(design), trees), dtype=np.intp)
        walking = np.ones(node.shape, dtype=np.bool_)
        total = np.zeros(node.shape)
        for depth in range(height + 1):
            here = mass[tree, node]
            total += np.where(walking, here * 2.0**depth, 0.0)
            if depth < height:
                walking &= here >= limit
                right = design[rows, feature[tree, node]] >= threshold[tree, node]
                node = 2 * node + 1 + right
        result: Floats = 1.0 - total.sum(axis=1) / most
        return result

    return scores
