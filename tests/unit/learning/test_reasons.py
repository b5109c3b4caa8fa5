"""Reasons of a score: families, their direction, and what they add up to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stream_app.learning.classifier import Champion
from stream_app.learning.reasons import TOP, Contributions
from stream_app.learning.scorers import Logistic
from stream_app.learning.scoring import score

COLUMNS = ("carts", "views", "spend", "age")
FAMILIES = {"carts": "attention", "views": "attention"}


def logistic(weights, mean=(0.0,) * 8, reference=(0.0,) * 8):
    names = [*COLUMNS, *(f"{name}?" for name in COLUMNS)]
    return Logistic(
        names=names,
        mean=list(mean),
        scale=[1.0] * 8,
        weights=list(weights),
        intercept=0.0,
        platt=None,
        reference=list(reference),
    )


def reasons(scorer, values, families, direction=1):
    return Contributions(scorer, families).of(values, np.full(len(values), direction > 0))


def test_families_by_direction_with_their_most_telling_feature():
    scorer = logistic([1.0, 0.5, -2.0, 0.0, 0, 0, 0, 0.7])
    values = np.expm1([[1.0, 3.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    values[0, 3] = np.nan
    up, none = reasons(scorer, values, FAMILIES)
    assert none == []
    assert [(r.family, r.feature) for r in up] == [("attention", "views"), ("age", "age")]
    assert [r.contribution for r in up] == pytest.approx([2.5, 0.7])
    assert up[0].value == pytest.approx(np.expm1(3.0))
    assert up[1].value is None
    (down,) = reasons(scorer, values[:1], FAMILIES, direction=-1)
    assert [(r.family, r.contribution) for r in down] == [("spend", pytest.approx(-2.0))]


def test_the_reference_is_typical_of_those_who_have_a_value():
    # A quarter has no spend, the others' logarithm is 2 in the mean; nobody has an age.
    mean = [0.0, 0.0, 1.4, 0.0, 0.0, 0.0, 0.25, 1.0]
    scorer = logistic([0, 0, 1.0, 1.0, 0, 0, 0, 0], mean, [0, 0, 0.1, 0, 0, 0, 0, 0])
    (found,) = reasons(scorer, np.expm1([[0.0, 0.0, 3.0, 1.0]]), {})
    by_family = {r.family: r for r in found}
    assert by_family["spend"].reference == pytest.approx(np.expm1(2.0))
    assert by_family["spend"].contribution == pytest.approx(1.5)
    assert by_family["age"].reference is None


@given(arrays(np.float64, (3, 4), elements=st.floats(0, 1e6) | st.just(np.nan)))
def test_contributions_add_up_to_the_logit_against_the_populations(values):
    random = np.random.default_rng(1)
    champion = Champion(COLUMNS)
    champion.learn_many(np.exp(random.normal(size=(300, 4))), random.integers(0, 2, 300) * 1.0)
    model = champion.export()
    both = [reasons(model, values, FAMILIES, d) for d in (1.0, -1.0)]
    assert all(len(row) <= TOP for rows in both for row in rows)
    z = (champion.design.matrix(values) - model.mean) / np.array(model.scale)
    expected = z @ np.array(model.weights) - np.sum(model.reference)
    # Three families, so that none is cut off.
    found = [sum(r.contribution for r in up + down) for up, down in zip(*both, strict=True)]
    assert found == pytest.approx(expected, abs=1e-9)
    for up, down in zip(*both, strict=True):
        assert [r.contribution for r in up] == sorted((r.contribution for r in up), reverse=True)
        assert all(r.contribution > 0 for r in up)
        assert all(r.contribution < 0 for r in down)


def test_each_in_its_own_direction_whoever_else_is_asked_about():
    scorer = logistic([0.1, 0.2, -0.3, 0.4, 0, 0, 0, 0])
    values = np.expm1(np.random.default_rng(2).uniform(0, 3, (50, 4)))
    contributions, rises = Contributions(scorer, FAMILIES), np.arange(50) % 3 > 0
    together = contributions.of(values, rises)
    assert together == [contributions.of(values[[i]], rises[[i]])[0] for i in range(50)]
    assert contributions.of(values[:0], rises[:0]) == []
    assert all(len(told) == 1 for told in contributions.of(values, rises, top=1))


NUMBERS = st.floats(-3, 3)


@given(
    st.lists(NUMBERS, min_size=8, max_size=8),
    st.lists(st.floats(-1, 1), min_size=8, max_size=8),
    arrays(np.float64, (1, 4), elements=st.floats(0, 100) | st.just(np.nan)),
)
def test_all_families_add_up_to_the_score_and_agree_with_the_most_telling(weights, mean, vector):
    reference = np.multiply(weights, mean).tolist()
    scorer = logistic(weights, mean, reference)
    contributions = Contributions(scorer, FAMILIES)
    found = contributions.every(vector)
    assert [reason.family for reason in found] == ["attention", "spend", "age"]
    logit = sum(reference) + sum(reason.contribution for reason in found)
    assert 1 / (1 + np.exp(-logit)) == pytest.approx(score(scorer, vector)[0])
    by_family = {reason.family: reason for reason in found}
    for told in contributions.of(vector, np.array([True]))[0]:
        assert by_family[told.family] == told


def test_a_family_that_adds_nothing_is_told_with_its_value():
    [attention, *_] = Contributions(logistic([0.0] * 8), FAMILIES).every(
        np.array([[np.nan, 1.0, 2.0, 3.0]])
    )
    assert (attention.contribution, attention.feature, attention.value) == (0.0, "carts", None)
