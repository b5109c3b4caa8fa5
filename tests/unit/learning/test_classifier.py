"""A champion is River's pipeline, refuses what would ruin it, and its averages hold still."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import compose, linear_model, optim, preprocessing

from stream_app.learning.classifier import Champion, Step
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


class FlooredScaler(preprocessing.StandardScaler):
    """River's scaler with a least scale."""

    def __init__(self, floor):
        super().__init__()
        self.floor = floor

    def transform_one(self, x):
        return {
            i: (xi - self.means[i]) / max(self.vars[i] ** 0.5, self.floor) if self.vars[i] else 0.0
            for i, xi in x.items()
        }


def river_pipeline(scaler, step):
    return compose.Pipeline(
        scaler,
        linear_model.LogisticRegression(
            optimizer=optim.SGD(step.rate), l2=step.l2, intercept_lr=step.intercept_rate
        ),
    )


@pytest.mark.parametrize("floor", [0.0, 0.1])
@given(seed=st.integers(0, 2**32 - 1), rate=st.sampled_from([0.001, 0.005, 0.05]))
@settings(max_examples=8)
def test_the_last_step_equals_river(floor, seed, rate):
    step = Step(rate=rate, floor=floor)
    scaler = FlooredScaler(floor) if floor else preprocessing.StandardScaler()
    river, champion = river_pipeline(scaler, step), Champion(COLUMNS, step)
    values, y = generated(seed, 300)
    weights = np.random.default_rng(seed).choice([0.5, 1.0, 3.0], size=300)
    for vector, outcome, weight in zip(values, y, weights, strict=True):
        row = champion.design.row(vector)
        river[type(scaler).__name__].learn_one(row)
        scaled = river[type(scaler).__name__].transform_one(row)
        river["LogisticRegression"].learn_one(scaled, bool(outcome), weight)
        champion.learn(vector, outcome, weight)
        x = dict(zip(COLUMNS, vector, strict=True))
        expected = river.predict_proba_one(row)
        assert champion.predict_proba_one(x) == pytest.approx(expected, abs=1e-9)


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


def logit(p):
    return np.log(p / (1 - p))


@pytest.mark.parametrize(("memory", "n"), [(1_000, 60), (20, 60)])
def test_the_averaged_logit_is_the_average_of_the_steps_logits(memory, n):
    values, y = generated(3, n)
    population, _ = generated(4, 20)
    champion = Champion(COLUMNS, Step(memory=memory, rate=0.05))
    average = np.zeros(len(population))
    for i, (vector, outcome) in enumerate(zip(values, y, strict=True), start=1):
        champion.learn(vector, outcome)
        average += max(2 / (i + 1), 1 / memory) * (logit(latest(champion)(population)) - average)
    assert logit(score(champion.export(), population)) == pytest.approx(average, abs=1e-9)


def test_averaging_gives_better_log_loss_and_fewer_flips():
    columns = (*COLUMNS[:3], *(f"noise{i}" for i in range(16)), COLUMNS[3])
    values, y = generated(5, 14_000, columns)
    population, outcomes = generated(6, 1_500, columns)
    champion = Champion(columns)
    losses, tagged = {"last": [], "average": []}, {"last": [], "average": []}
    champion.learn_many(values[:8_000], y[:8_000])
    for start in range(8_000, 14_000, 1_000):
        scores = {
            "last": latest(champion)(population),
            "average": score(champion.export(), population),
        }
        for name, p in scores.items():
            losses[name].append(-np.mean(np.log(np.where(outcomes == 1, p, 1 - p))))
            tagged[name].append(p >= 0.4)
        champion.learn_many(values[start : start + 1_000], y[start : start + 1_000])
    assert np.mean(losses["average"]) < np.mean(losses["last"])

    def flips(name):
        moves = [np.sum(a != b) for a, b in itertools.pairwise(tagged[name])]
        return sum(moves) / sum(map(np.sum, tagged[name][1:]))

    assert flips("average") < 0.5 * flips("last")


def test_the_reference_is_the_recent_populations_mean():
    values, y = generated(7, 400)
    champion = Champion(COLUMNS)
    champion.learn_many(values, y)
    model = champion.export()
    weights = np.arange(1, 401)
    mean = np.average(champion.design.matrix(values), axis=0, weights=weights)
    z = (mean - model.mean) / np.array(model.scale)
    assert model.reference == pytest.approx(np.array(model.weights) * z, abs=1e-9)


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
