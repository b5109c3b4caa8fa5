"""Scaling: defined for every column, within its limits, and twins are thinned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stream_app.learning.scale import LIMIT, fit_scale, scaled, spread_of

ANY = st.floats(-1e12, 1e12) | st.just(float("nan"))
TABLES = hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=ANY)


@given(TABLES)
def test_any_table_has_a_scale_and_scaled_values_lie_within_the_limit(values):
    scale = fit_scale(values, [f"c{j}" for j in range(values.shape[1])])
    assert np.isfinite(scale.median).all()
    assert (scale.spread > 0).all()
    at = [int(name[1:]) for name in scale.features]
    z = scaled(values[:, at], scale.median, scale.spread)
    assert (np.abs(z) <= LIMIT).all()
    assert (z[np.isnan(values[:, at])] == 0).all()
    assert {*scale.features, *(d.feature for d in scale.dropped)} == {
        f"c{j}" for j in range(values.shape[1])
    }


def test_a_normal_column_is_scaled_by_its_standard_deviation():
    column = np.random.default_rng(0).normal(3, 2, 20_000)
    assert spread_of(column) == pytest.approx((3, 2), rel=0.03)


def test_some_that_are_far_away_do_not_matter():
    column = np.random.default_rng(0).normal(3, 2, 20_000)
    column[:200] = 1e6
    assert spread_of(column) == pytest.approx((3, 2), rel=0.05)


@pytest.mark.parametrize("value", [0.0, 7.0, -3.5])
def test_a_constant_column_has_spread_one(value):
    assert spread_of(np.full(9, value)) == (value, 1.0)
    assert spread_of(np.array([np.nan])) == (0.0, 1.0)


def test_what_few_have_is_scaled_by_how_it_spreads_among_all():
    column = np.zeros(100)
    column[:10] = 3.0
    assert spread_of(column)[1] == pytest.approx(3.0 / 3.29, rel=0.01)


def twins(r):
    rng = np.random.default_rng(1)
    a, b, c = rng.normal(size=(3, 20_000))
    # Small, so that the logarithm does not bend what is correlated.
    return 0.01 * np.array([a, c, r * a + np.sqrt(1 - r * r) * b]).T


def test_correlated_features_are_thinned_and_it_is_said_why():
    scale = fit_scale(twins(-0.95), ("a", "c", "twin"))
    assert scale.features == ("a", "c")
    (dropped,) = scale.dropped
    assert (dropped.feature, dropped.like) == ("twin", "a")
    assert dropped.r == pytest.approx(-0.95, abs=0.01)
    assert len(scale.median) == len(scale.spread) == 2


def test_what_was_dropped_comes_back_only_well_below_the_bound():
    names = ("a", "c", "twin")
    assert fit_scale(twins(0.88), names).features == names
    assert fit_scale(twins(0.88), names, ["twin"]).features == ("a", "c")
    assert fit_scale(twins(0.80), names, ["twin"]).features == names
