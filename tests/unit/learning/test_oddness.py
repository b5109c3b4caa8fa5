"""What is unusual about a user is told by families, the farthest first, and is true."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stream_app.learning.oddness import Oddness
from stream_app.learning.scorers import HalfSpaceTrees
from stream_app.learning.telling import TOP

COLUMNS = ("orders_7d", "orders_30d", "spend", "age", "rare")
#: Hardly anybody has a value of `rare`.
SCORER = HalfSpaceTrees(
    names=[*COLUMNS, *(f"{name}?" for name in COLUMNS)],
    low=[0.0] * 10,
    high=[9.0] * 10,
    window=10,
    feature=[[0]],
    threshold=[[1.0]],
    mass=[[10, 5, 5]],
    median=[1.0, 2.0, 3.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
    spread=[1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.25],
)
FAMILIES = {"orders_7d": "orders", "orders_30d": "orders"}


def vector(*logs):
    return np.expm1(np.array(logs))


def reasons(of):
    # Beside others, whose reasons are their own.
    both = Oddness(SCORER, FAMILIES).of(np.array([vector(9, 9, 9, 9, 9), of]))
    return both[1]


def test_a_family_is_told_by_its_farthest_feature_and_as_often_as_one():
    found = reasons(vector(6.0, 8.0, 5.0, 1.0, np.nan))
    assert [(b.family, b.feature, b.op) for b in found] == [
        ("orders", "orders_30d", ">"),
        ("spend", "spend", ">"),
    ]
    assert found[0].threshold == found[0].reference == pytest.approx(np.expm1(2.0))
    assert found[0].contribution is None


def test_a_value_that_is_missing_or_that_hardly_anybody_has_is_told_as_that():
    found = reasons(vector(1.0, 2.0, 3.0, np.nan, 0.1))
    assert [(b.family, b.op, b.threshold) for b in found] == [
        ("age", "missing", None),
        ("rare", "has", None),
    ]


def test_who_is_as_the_median_has_nothing_unusual():
    assert reasons(vector(1.0, 2.0, 3.0, 1.0, np.nan)) == []


@given(arrays(np.float64, 5, elements=st.floats(0, 1e6) | st.just(np.nan)))
def test_reasons_are_true_few_and_of_distinct_families(values):
    found = reasons(values)
    assert len({b.family for b in found}) == len(found) <= TOP
    for b in found:
        if b.op in ("missing", "has"):
            assert (b.value is None) == (b.op == "missing")
        else:
            told = {">": operator.gt, "<": operator.lt, "==": operator.eq}[b.op]
            assert told(b.value, b.threshold)
