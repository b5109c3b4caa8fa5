"""A champion is Bayes' rule step by step, and refuses what would ruin it."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from river import compose, linear_model, optim, preprocessing

from stream_app.learning.classifier import Champion, Prior
from stream_app.learning.measures import auc
from stream_app.learning.scoring import score

COLUMNS = ("visits", "spend", "share", "rare")


def generated(seed, n, columns=COLUMNS):
    """Vectors (n, c) with heavy tails and missing values, and their outcomes (n,)."""
    random = np.random.default_rng(seed)
    values = np.exp(random.normal(size=(n, len(columns))) * 1.3)
    values[:, 2] = random.random(n)
    missing = random.random(values.shape) < np.linspace(0, 0.1, len(columns))
    t = np.log1p(values)
    logit = 1.2 * t[:, 0] - 0.8 * t[:, 1] + missing[:, -1] - 2.5
    y = (random.random(n) < 1 / (1 + np.exp(-logit))).astype(float)
    values[missing] = np.nan
    return values, y


def river_pipeline():
    return compose.Pipeline(
        preprocessing.StandardScaler(),
        linear_model.LogisticRegression(optimizer=optim.SGD(0.005), l2=0.001, intercept_lr=0.01),
    )


def test_the_scaler_is_rivers():
    values, y = generated(2, 300)
    scaler, champion = preprocessing.StandardScaler(), Champion(COLUMNS, Prior(floor=0.0))
    for vector, outcome in zip(values, y, strict=True):
        scaler.learn_one(champion.design.row(vector))
        champion.learn(vector, outcome)
    model = champion.export()
    assert model.mean == pytest.approx([scaler.means[name] for name in model.names], abs=1e-9)
    spread = [scaler.vars[name] ** 0.5 or 1.0 for name in model.names]
    assert model.scale == pytest.approx(spread, abs=1e-9)


class Textbook:
    """The same belief kept as precision, the covariance's inverse: Bayes' rule written out."""

    def __init__(self, width, prior):
        self.precision = np.diag([1 / prior.variance] * width + [1 / prior.intercept])
        self.theta = np.zeros(width + 1)

    def learn(self, x, y, weight):
        p = 1 / (1 + np.exp(-(x @ self.theta)))
        self.precision += weight * p * (1 - p) * np.outer(x, x)
        self.theta += weight * (y - p) * np.linalg.solve(self.precision, x)


@given(seed=st.integers(0, 2**32 - 1), variance=st.sampled_from([0.01, 0.03, 1.0]))
@settings(max_examples=8)
def test_a_step_is_bayes_rule_at_the_present_mean(seed, variance):
    prior = Prior(variance=variance, memory=0)
    champion = Champion(COLUMNS, prior)
    textbook = Textbook(len(champion.design.names), prior)
    values, y = generated(seed, 200)
    weights = np.random.default_rng(seed).choice([0.5, 1.0, 3.0], size=200)
    for vector, outcome, weight in zip(values, y, weights, strict=True):
        champion.learn(vector, outcome, weight)
        model = champion.export()
        x = (champion.design.matrix(vector[None])[0] - model.mean) / np.array(model.scale)
        textbook.learn(np.append(x, 1.0), outcome, weight)
    model = champion.export()
    assert [*model.weights, model.intercept] == pytest.approx(textbook.theta.tolist(), abs=1e-7)


def test_without_forgetting_it_ends_where_all_examples_at_once_would():
    values, y = generated(9, 4_000)
    prior = Prior(memory=0)
    champion = Champion(COLUMNS, prior)
    champion.learn_many(values, y)
    model = champion.export()
    x = (champion.design.matrix(values) - model.mean) / np.array(model.scale)
    x = np.column_stack([x, np.ones(len(x))])
    theta, ridge = np.zeros(x.shape[1]), np.diag([1 / prior.variance] * (x.shape[1] - 1) + [0.1])
    for _ in range(20):
        p = 1 / (1 + np.exp(-(x @ theta)))
        slope = x.T @ (p - y) + ridge @ theta
        theta -= np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + ridge, slope)
    at_once = 1 / (1 + np.exp(-(x @ theta)))
    assert np.abs(score(model, values) - at_once).mean() < 0.01


def test_a_rare_outcome_is_learned_before_gradient_steps_do():
    columns = (*COLUMNS[:3], *(f"noise{i}" for i in range(12)), COLUMNS[3])
    values, _ = generated(10, 9_000, columns)
    t = np.log1p(np.nan_to_num(values))
    random = np.random.default_rng(10)
    y = (random.random(len(t)) < 1 / (1 + np.exp(4.7 - 1.2 * t[:, 0] + t[:, 1]))).astype(float)
    assert 40 < y[:3_000].sum() < 120
    champion, river = Champion(columns), river_pipeline()
    champion.learn_many(values[:3_000], y[:3_000])
    for vector, outcome in zip(values[:3_000], y[:3_000], strict=True):
        river.learn_one(champion.design.row(vector), bool(outcome))
    ours = score(champion.export(), values[3_000:])
    theirs = [river.predict_proba_one(champion.design.row(v))[True] for v in values[3_000:]]
    came_true = y[3_000:] == 1
    assert auc(ours, came_true) > auc(np.array(theirs), came_true) + 0.01


@pytest.mark.parametrize(("memory", "follows"), [(1_000, True), (0, False)])
def test_forgetting_follows_a_break(memory, follows):
    values, y = generated(11, 12_000)
    turned = 1.0 - y
    champion = Champion(COLUMNS, Prior(memory=memory))
    champion.learn_many(values[:8_000], y[:8_000])
    champion.learn_many(values[8_000:11_000], turned[8_000:11_000])
    found = auc(score(champion.export(), values[11_000:]), turned[11_000:] == 1)
    assert (found > 0.7) is follows


def test_what_examples_say_nothing_of_stays_as_it_was_believed():
    values, y = generated(12, 30_000)
    values[:, 1] = 3.0
    champion = Champion(COLUMNS, Prior(memory=500))
    champion.learn_many(values, y)
    covariance = champion._covariance
    assert np.array_equal(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > 0
    assert covariance[1, 1] == pytest.approx(0.03)
    assert champion.export().weights[1] == 0.0


def test_by_column_as_by_vector():
    values, y = generated(1, 50)
    by_vector, by_column = Champion(COLUMNS), Champion(COLUMNS)
    for vector, outcome in zip(values, y, strict=True):
        by_vector.learn(vector, outcome)
        present = {c: v for c, v in zip(COLUMNS, vector, strict=True) if not np.isnan(v)}
        by_column.learn_one({"spend": None, **present}, bool(outcome))
    assert by_vector.export() == by_column.export()


@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 200), max_size=4))
@settings(max_examples=15)
def test_batches_do_not_matter(seed, cuts):
    values, y = generated(seed, 200)
    one, many = Champion(COLUMNS), Champion(COLUMNS)
    for vector, outcome in zip(values, y, strict=True):
        assert one.learn(vector, outcome)
    edges = [0, *sorted(cuts), 200]
    for start, end in itertools.pairwise(edges):
        assert many.learn_many(values[start:end], y[start:end]).all()
    assert one.export() == many.export()


@given(
    st.lists(
        st.tuples(
            st.lists(st.floats(), min_size=4, max_size=4),
            st.sampled_from([0.0, 1.0, 0.5, np.nan, np.inf]),
            st.sampled_from([1.0, 0.0, -1.0, 2.0, np.nan, np.inf]),
        ),
        max_size=30,
    )
)
def test_poison_is_refused_and_leaves_nothing(examples):
    poisoned, clean = Champion(COLUMNS), Champion(COLUMNS)
    for values, y, weight in examples:
        fit = not np.isinf(values).any() and y in (0, 1) and weight in (1, 2)
        assert poisoned.learn(np.array(values), y, weight) is fit
        if fit:
            clean.learn(np.array(values), y, weight)
    assert poisoned.export() == clean.export()
    assert poisoned.examples == clean.examples
    exported = poisoned.export()
    numbers = [exported.mean, exported.scale, exported.weights, exported.reference]
    assert np.isfinite([*np.ravel(numbers), exported.intercept]).all()


def latest(champion):
    """The last step's probabilities of vectors (n, c)."""
    names = champion.design.columns
    return lambda values: np.array(
        [champion.predict_proba_one(dict(zip(names, v, strict=True)))[True] for v in values]
    )


def test_the_reference_is_the_recent_populations_mean():
    values, y = generated(7, 400)
    champion = Champion(COLUMNS)
    champion.learn_many(values, y)
    model = champion.export()
    weights = np.arange(1, 401)
    mean = np.average(champion.design.matrix(values), axis=0, weights=weights)
    z = (mean - model.mean) / np.array(model.scale)
    assert model.reference == pytest.approx(np.array(model.weights) * z, abs=1e-9)


def test_a_population_given_is_the_reference_and_nothing_else_changes():
    values, y = generated(7, 400)
    champion = Champion(COLUMNS)
    champion.learn_many(values, y)
    now = 3.0 * values[:50] + 1.0
    model, lagging = champion.export(now), champion.export()
    z = (champion.design.matrix(now).mean(axis=0) - model.mean) / np.array(model.scale)
    assert model.reference == pytest.approx(np.array(model.weights) * z, abs=1e-9)
    assert replace(model, reference=lagging.reference) == lagging
    assert champion.export(now[:0]) == lagging


def test_a_rare_indicator_does_not_throw_the_weights():
    values, y = generated(8, 5_000)
    values = np.nan_to_num(values, nan=1.0)
    champion = Champion(COLUMNS)
    champion.learn_many(values, y)
    ordinary = functools.partial(latest(champion), values[:50])
    before = ordinary()
    values[0, 3] = np.nan
    champion.learn(values[0], 1.0 - y[0])
    assert np.abs(ordinary() - before)[1:].max() < 0.02
    assert abs(latest(champion)(values[:1])[0] - before[0]) < 0.2
