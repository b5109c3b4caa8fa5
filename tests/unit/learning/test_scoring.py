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

from stream_app.learning.anomaly import Detector
from stream_app.learning.scorers import Logistic, Quantiles
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


def detector(seed=1, n=700, window=100):
    random = np.random.default_rng(seed)
    values = np.exp(random.normal(size=(n, 3)))
    values[random.random(values.shape) < 0.1] = np.nan
    found = Detector(COLUMNS, seed=seed, trees=7, height=5, window=window)
    for vector in values:
        found.learn(vector)
    return found


LEARNED = detector()
EXPORTED = LEARNED.export()


@given(VECTORS)
def test_half_space_trees_score_as_river_does(values):
    expected = [LEARNED.score_one(vector) for vector in values]
    assert score(EXPORTED, values) == pytest.approx(np.array(expected), abs=1e-9)
    assert np.isfinite(score(EXPORTED, values)).all()


def test_many_vectors_are_scored_in_slices():
    values = np.random.default_rng(2).normal(size=(4_500, 3)) * 3
    scores = score(EXPORTED, values)
    for i in (0, 1_999, 2_000, 4_499):
        assert scores[i] == LEARNED.score_one(values[i])


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
