"""The detector finds what is unusual, and nothing that comes can blind it."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from river import anomaly

from stream_app.learning.anomaly import Detector
from stream_app.learning.scoring import score

COLUMNS = ("visits", "spend", "constant")


def users(seed, n):
    random = np.random.default_rng(seed)
    visits = random.poisson(8, size=n).astype(float)
    spend = visits * np.exp(random.normal(3, 0.4, size=n))
    return np.column_stack([visits, spend, np.full(n, 5.0)])


def learned(values, **settings):
    detector = Detector(COLUMNS, seed=3, **{"window": 250, **settings})
    for vector in values:
        assert detector.learn(vector)
    return detector


def test_unusual_users_score_higher():
    model = learned(users(1, 1_000)).export()
    usual = score(model, users(2, 500))
    strange = np.array([[8.0, 1e7, 5.0], [4_000.0, 200.0, 5.0], [0.0, 1e6, 5.0]])
    assert score(model, strange).min() > np.quantile(usual, 0.98)


def test_an_outlier_in_the_first_window_does_not_blind_it():
    values = users(1, 1_000)
    values[10] = [1e12, 1e300, 5.0]
    model = learned(values).export()
    usual = score(model, users(2, 500))
    assert score(model, np.array([[8.0, 1e7, 5.0]]))[0] > np.quantile(usual, 0.98)


def test_until_the_first_window_is_full_there_is_no_model():
    values = users(1, 250)
    detector = learned(values[:249])
    assert detector.export() is None
    assert detector.score_one(values[0]) == 0
    detector.learn(values[249])
    model = detector.export()
    assert model is not None
    assert [tree[0] for tree in model.mass] == [250] * 50
    assert not list(model.faults())


def test_vectors_that_do_not_vary_wait_for_some_that_do():
    detector = learned(np.full((250, 3), 2.0))
    assert detector.export() is None
    for vector in users(1, 250):
        detector.learn(vector)
    assert detector.export() is not None


def test_a_name_that_does_not_vary_splits_nothing():
    model = learned(users(1, 300)).export()
    assert {model.names[i] for tree in model.feature for i in tree} == {"visits", "spend"}


def test_same_vectors_and_seed_same_bytes():
    exports = [msgspec.json.encode(learned(users(1, 600)).export()) for _ in range(2)]
    assert exports[0] == exports[1]
    assert len(exports[0]) < 300_000


def test_infinity_is_refused_and_leaves_nothing():
    detector, clean = learned(users(1, 400)), learned(users(1, 400))
    assert not detector.learn(np.array([np.inf, 1.0, 5.0]))
    assert detector.export() == clean.export()


def test_trees_are_those_river_grows_on_scaled_limits():
    values = users(1, 750)
    detector = learned(values, trees=5, height=4)
    model = detector.export()
    low, high = np.array(model.low), np.array(model.high)
    span = np.where(high > low, high - low, 1.0)
    limits = {n: (0.0, float(a < b)) for n, a, b in zip(model.names, low, high, strict=True)}
    river = anomaly.HalfSpaceTrees(5, 4, 250, limits, 3)

    def scaled(vector):
        row = detector.design.matrix(vector[None])[0].clip(low, high)
        return dict(zip(model.names, ((row - low) / span).tolist(), strict=True))

    for vector in values:
        river.learn_one(scaled(vector))
    probes = users(9, 200)
    expected = [river.score_one(scaled(vector)) for vector in probes]
    assert score(model, probes) == pytest.approx(np.array(expected), abs=1e-9)
