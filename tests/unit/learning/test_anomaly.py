"""Trees find who is unlike the others, and nothing that comes can blind them."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from river import anomaly
from support.personas import BOT, COLUMNS, POPULATIONS, Shop

from stream_app.learning.anomaly import REACH, TREES, grow
from stream_app.learning.scoring import score

NAMES = ("visits", "spend", "constant")


def users(seed, n):
    random = np.random.default_rng(seed)
    visits = random.poisson(8, size=n).astype(float)
    spend = visits * np.exp(random.normal(3, 0.4, size=n))
    return np.column_stack([visits, spend, np.full(n, 5.0)])


def grown(values, **settings):
    model = grow(values, NAMES, 3, **settings)
    assert model is not None
    return model


def test_unusual_users_score_higher():
    model = grown(users(1, 1_000))
    usual = score(model, users(2, 500))
    strange = np.array([[8.0, 1e7, 5.0], [4_000.0, 200.0, 5.0], [0.0, 1e6, 5.0]])
    assert score(model, strange).min() > np.quantile(usual, 0.98)


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bots_are_found_within_a_budget_of_two_percent(population, seed):
    shop = Shop(POPULATIONS[population], 2_000, seed=seed + 7)
    values = shop.vectors()
    scores = score(grow(values, COLUMNS, seed), values)
    found = scores > np.quantile(scores, 0.98)
    assert found[shop.kinds == BOT].mean() >= 0.9


def test_an_outlier_does_not_blind_it():
    values = users(1, 1_000)
    values[10] = [1e12, 1e300, 5.0]
    model = grown(values)
    usual = score(model, users(2, 500))
    assert score(model, np.array([[8.0, 1e7, 5.0]]))[0] > np.quantile(usual, 0.98)


@pytest.mark.parametrize("value", [2.0, np.nan, 1e308])
def test_where_nothing_varies_there_are_no_trees(value):
    assert grow(np.full((250, 3), value), NAMES, 3) is None
    assert grow(np.empty((0, 3)), NAMES, 3) is None


def test_what_does_not_vary_and_what_is_missing_split_nothing():
    values = users(1, 300)
    values[::3, 0] = np.nan
    model = grown(values)
    assert {model.names[i] for tree in model.feature for i in tree} == {"visits", "spend"}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e308, -1e308])
def test_whatever_comes_the_model_is_finite(bad):
    values = users(1, 400)
    values[:200, 0], values[7, 1] = bad, bad
    model = grown(values)
    assert not list(model.faults())
    content = msgspec.to_builtins(model)
    for name in ("low", "high", "median", "spread", "threshold"):
        assert np.isfinite(np.array(content[name])).all()
    assert np.isfinite(score(model, values)).all()


def test_all_users_come_through_every_root_and_each_goes_one_way():
    model = grown(users(1, 5_000))
    mass = np.array(model.mass)
    assert mass.shape[0] == TREES
    assert (mass[:, 0] == 5_000).all()
    inner = mass.shape[1] // 2
    assert (mass[:, :inner] == mass[:, 1::2] + mass[:, 2::2]).all()


def test_limits_are_about_the_median():
    model = grown(users(1, 1_000))
    for low, high, median, spread in zip(
        model.low[:2], model.high[:2], model.median[:2], model.spread[:2], strict=True
    ):
        assert (high - median, median - low) == pytest.approx((REACH * spread,) * 2)


def test_same_vectors_in_any_order_and_same_seed_same_bytes():
    values = users(1, 600)
    shuffled = np.random.default_rng(0).permutation(values)
    exports = [msgspec.json.encode(grown(some)) for some in (values, shuffled)]
    assert exports[0] == exports[1]
    assert len(exports[0]) < 100_000


def test_trees_are_those_river_grows_on_scaled_limits():
    values = users(1, 750)
    model = grown(values, trees=5, height=4)
    low, high = np.array(model.low), np.array(model.high)
    span = np.where(high > low, high - low, 1.0)
    limits = {i: (0.0, float(a < b)) for i, (a, b) in enumerate(zip(low, high, strict=True))}
    river = anomaly.HalfSpaceTrees(5, 4, 750, limits, 3)

    def scaled(vector):
        compressed = np.concatenate([np.log1p(vector), np.zeros(3)]).clip(low, high)
        return dict(enumerate(((compressed - low) / span).tolist()))

    for vector in values:
        river.learn_one(scaled(vector))
    probes = users(9, 200)
    expected = [river.score_one(scaled(vector)) for vector in probes]
    assert score(model, probes) == pytest.approx(np.array(expected), abs=1e-9)
