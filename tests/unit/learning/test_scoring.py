"""Scores of batches: River's own answers, a number for every vector, whatever the batch."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from river import linear_model
from river.utils import VectorDict

from stream_app.learning.scorers import HalfSpaceTrees, Logistic, Quantiles
from stream_app.learning.scoring import compiled, score
from stream_app.learning.transform import Design

COLUMNS = ("a", "b", "c")
NUMBERS = st.floats(-50, 50)
VECTORS = arrays(np.float64, st.tuples(st.integers(0, 30), st.just(3)), elements=st.floats())


@st.composite
def logistics(draw):
    def six(elements):
        return draw(st.lists(elements, min_size=6, max_size=6))

    return Logistic(
        names=list(Design(COLUMNS).names),
        mean=six(NUMBERS),
        scale=six(st.floats(0.1, 10)),
        weights=six(st.floats(-3, 3)),
        intercept=draw(NUMBERS),
        platt=draw(st.none() | st.tuples(st.floats(0.1, 2), st.floats(-2, 2))),
        reference=[0.0] * 6,
    )


def by_river(scorer, vector):
    """The probability of River's own regression with these weights."""
    model = linear_model.LogisticRegression(intercept_init=scorer.intercept)
    model._weights = VectorDict(dict(zip(scorer.names, scorer.weights, strict=True)))
    row = Design(COLUMNS).row(vector)
    z = {
        name: (row[name] - mean) / scale
        for name, mean, scale in zip(scorer.names, scorer.mean, scorer.scale, strict=True)
    }
    if scorer.platt is None:
        return model.predict_proba_one(z)[True]
    a, b = scorer.platt
    return model.loss.mean_func(a * model._raw_dot_one(z) + b)


@given(logistics(), VECTORS)
def test_a_logistic_score_is_rivers(scorer, values):
    expected = [by_river(scorer, vector) for vector in values]
    assert score(scorer, values) == pytest.approx(np.array(expected), abs=1e-9)


@given(logistics(), VECTORS)
def test_a_score_does_not_depend_on_its_batch(scorer, values):
    function = compiled(scorer)
    alone = [function(values[i : i + 1])[0] for i in range(len(values))]
    assert function(values).tolist() == alone
    assert all(0 <= p <= 1 for p in alone)


def test_logits_beyond_all_measure_are_still_probabilities():
    scorer = Logistic(
        names=["a", "a?"],
        mean=[0.0, 0.0],
        scale=[1e-3, 1.0],
        weights=[1.0, 0.0],
        intercept=0.0,
        platt=None,
        reference=[0.0, 0.0],
    )
    assert score(scorer, np.array([[math.inf], [-math.inf]])).tolist() == pytest.approx([1, 0])


@st.composite
def trees(draw):
    """Trees that split wherever they like, with masses that no data would give."""
    count, height = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    inner = 2**height - 1
    random = np.random.default_rng(draw(st.integers(0, 99)))
    low = random.normal(size=6) - 1.0
    return HalfSpaceTrees(
        names=list(Design(COLUMNS).names),
        low=low.tolist(),
        high=(low + random.exponential(2.0, size=6)).tolist(),
        window=100,
        feature=random.integers(0, 6, (count, inner)).tolist(),
        threshold=random.normal(size=(count, inner)).tolist(),
        mass=random.integers(0, 100, (count, 2 * inner + 1)).tolist(),
        median=[0.0] * 6,
        spread=[1.0] * 6,
    )


def by_walking(scorer, vector):
    """The definition, for one vector: what it meets on its way down weighs the more the deeper."""
    row = np.clip(list(Design(COLUMNS).row(vector).values()), scorer.low, scorer.high)
    total = 0.0
    for feature, threshold, mass in zip(scorer.feature, scorer.threshold, scorer.mass, strict=True):
        node, depth = 0, 0
        while True:
            total += mass[node] * 2**depth
            if node >= len(feature) or mass[node] < 0.1 * scorer.window:
                break
            node = 2 * node + 1 + bool(row[feature[node]] >= threshold[node])
            depth += 1
    return 1.0 - total / (len(scorer.mass) * scorer.window * len(scorer.mass[0]))


@given(trees(), VECTORS)
def test_half_space_trees_score_by_the_plain_definition(scorer, values):
    expected = [by_walking(scorer, vector) for vector in values]
    assert score(scorer, values) == pytest.approx(np.array(expected), abs=1e-9)


@given(trees(), st.integers(0, 99))
def test_many_vectors_are_scored_in_slices(scorer, seed):
    values = np.random.default_rng(seed).normal(size=(520, 3)) * 3
    scores = score(scorer, values)
    for i in (0, 249, 250, 519):
        assert scores[i] == by_walking(scorer, values[i])


def test_what_has_no_score_is_refused():
    with pytest.raises(TypeError, match="Quantiles"):
        score(Quantiles(by_column={}), np.zeros((1, 1)))
    swapped = Logistic(
        names=["a", "b?"],
        mean=[0.0] * 2,
        scale=[1.0] * 2,
        weights=[0.0] * 2,
        intercept=0.0,
        platt=None,
        reference=[0.0] * 2,
    )
    with pytest.raises(ValueError, match="indicators"):
        score(swapped, np.zeros((1, 1)))
