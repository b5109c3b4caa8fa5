"""Names say what sets a segment apart, differ, and stay while they are true."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stream_app.learning.naming import names_of, traits

FEATURES = ("basket", "weekend_share", "visits", "returns")
WORDS = {
    "basket": ("small baskets", "big baskets"),
    "weekend_share": ("weekdays", "weekend"),
    "visits": ("few visits", "many visits"),
}


def named(*centres, before=()):
    return names_of(np.array(centres, dtype=float), FEATURES, WORDS, before)


def test_the_farthest_features_in_words():
    assert named([2, 1.5, -1, 0.9]) == ("big baskets · weekend · few visits",)


def test_features_without_words_are_low_or_high():
    assert named([0.1, 0, 0, 3], [0, 0, 0, -2]) == ("high returns", "low returns")


def test_nothing_sets_it_apart():
    assert named([0.1, 0, -0.4, 0]) == ("typical",)
    assert named([0.1, 0, 0, 0], [0, 0, 0, 0]) == ("typical", "typical 2")


def test_names_that_would_be_the_same_are_told_apart():
    found = named([2, 1.5, -1, 0.9], [2.5, 1.5, -1, -0.9], [2, 1.5, -1, 0.9])
    assert found[:2] == (
        "big baskets · weekend · few visits",
        "big baskets · weekend · few visits · low returns",
    )
    assert len(set(found)) == 3


def test_a_name_stays_while_it_is_true():
    old = "big baskets · weekend"
    assert named([0.9, 1.5, 0.7, 0], before=[old]) == (old,)
    assert named([0.3, 1.5, 0.7, 0], before=[old]) == (old,)
    assert named([0.1, 1.5, 0.7, 0], before=[old]) == ("weekend · many visits",)
    assert named([-0.9, 1.5, 0.7, 0], before=[old])[0] != old
    assert named([0.0, 0, 0.7, 0], before=["typical"]) == ("many visits",)


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 8), st.just(4)), elements=st.floats(-5, 5)))
def test_names_are_distinct_and_true(centres):
    names = names_of(centres, FEATURES, WORDS)
    assert len(set(names)) == len(names)
    for name, centre in zip(names, centres, strict=True):
        said = traits(centre, FEATURES, WORDS, 0.5)
        assert name.startswith(" · ".join(said[:3]) or "typical")
