"""What every family adds to a score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stream_app.learning.families import every_family
from stream_app.learning.reasons import reasons
from stream_app.learning.scorers import Logistic
from stream_app.learning.scoring import score

COLUMNS = ("carts", "views", "spend", "age")
FAMILIES = {"carts": "attention", "views": "attention"}
NUMBERS = st.floats(-3, 3)


def logistic(weights, reference) -> Logistic:
    return Logistic(
        names=[*COLUMNS, *(f"{name}?" for name in COLUMNS)],
        mean=[0.5] * 8,
        scale=[2.0] * 8,
        weights=list(weights),
        intercept=0.3,
        platt=None,
        reference=list(reference),
    )


@given(
    st.lists(NUMBERS, min_size=8, max_size=8),
    st.lists(st.floats(-1, 1), min_size=8, max_size=8),
    arrays(np.float64, (1, 4), elements=st.floats(0, 100) | st.just(np.nan)),
)
def test_all_families_add_up_to_the_score_and_agree_with_the_reasons(weights, mean, vector):
    reference = np.multiply(weights, mean).tolist()
    scorer = logistic(weights, reference)
    found = list(every_family(scorer, vector, FAMILIES))
    assert [reason.family for reason in found] == ["attention", "spend", "age"]
    logit = 0.3 + sum(reference) + sum(reason.contribution for reason in found)
    assert 1 / (1 + np.exp(-logit)) == pytest.approx(score(scorer, vector)[0])
    by_family = {reason.family: reason for reason in found}
    for told in reasons(scorer, vector, [0], FAMILIES)[0]:
        same = by_family[told.family]
        assert (same.feature, same.value) == (told.feature, told.value)
        assert same.contribution == pytest.approx(told.contribution)


def test_a_family_that_adds_nothing_is_told_with_its_value():
    [attention, *_] = every_family(
        logistic([0.0] * 8, [0.0] * 8), np.array([[np.nan, 1.0, 2.0, 3.0]]), FAMILIES
    )
    assert (attention.contribution, attention.feature, attention.value) == (0.0, "carts", None)
