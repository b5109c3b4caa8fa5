"""Assignment against its plain definition, with margin and bound; reasons that are true."""

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from msgspec import structs

from stream_app.learning.assignment import UNUSUAL, Differences, assign
from stream_app.learning.scorers import Centroids
from stream_app.learning.telling import TOP

IDS = ["s1", "s4", "s9"]
CENTROIDS = Centroids(
    ids=IDS,
    names=["spend", "visits"],
    centre=[[-1.0, 0.0], [1.0, 0.0], [1.0, 2.0]],
    median=[4.0, 2.0],
    spread=[1.0, 0.5],
    bound=2.5,
    sizes=[10, 20, 30],
    margin=0.2,
)
ROWS = hnp.arrays(
    np.float64,
    st.tuples(st.integers(0, 20), st.just(2)),
    elements=st.floats(-1e6, 1e6) | st.just(float("nan")),
)


def plain(vector, previous=None):
    """The definition, for one vector: its nearest, and how far it is from each."""
    z = []
    for x, median, spread in zip(vector, CENTROIDS.median, CENTROIDS.spread, strict=True):
        value = 0.0 if np.isnan(x) else (np.sign(x) * np.log1p(abs(x)) - median) / spread
        z.append(max(-5.0, min(5.0, value)))
    return [float(np.hypot(z[0] - a, z[1] - b)) for a, b in CENTROIDS.centre]


@given(ROWS)
def test_the_nearest_by_the_plain_definition(values):
    for row, found in zip(values, assign(CENTROIDS, values), strict=True):
        apart = plain(row)
        if found == UNUSUAL:
            assert min(apart) > CENTROIDS.bound - 1e-9
        else:
            assert apart[IDS.index(found)] <= min(apart) + 1e-9
            assert min(apart) <= CENTROIDS.bound + 1e-9


@given(ROWS, st.data())
def test_each_is_assigned_as_if_alone_and_moves_only_past_the_margin(values, data):
    one = st.sampled_from([*IDS, UNUSUAL, "s2", None])
    had = data.draw(st.lists(one, min_size=len(values), max_size=len(values)))
    found = assign(CENTROIDS, values, had)
    for row, was, now in zip(values, had, found, strict=True):
        assert assign(CENTROIDS, row[None], [was]) == [now]
        apart = plain(row)
        if was in IDS and now != was and now != UNUSUAL:
            assert min(apart) < 0.8 * apart[IDS.index(was)] + 1e-9
        if was in IDS and now == was:
            assert min(apart) >= 0.8 * apart[IDS.index(was)] - 1e-9
        if was == UNUSUAL and now != UNUSUAL:
            assert min(apart) <= 0.8 * CENTROIDS.bound + 1e-9
        if was in ("s2", None):
            assert assign(CENTROIDS, row[None]) == [now]


def reasons(centroids, vector, families, before=None, after=UNUSUAL):
    [found] = Differences(centroids, families).of(vector[None], [before], [after])
    return found


def at(*z):
    """The vector at some spreads from the median."""
    return np.expm1(np.array([CENTROIDS.median]) + np.array([z]) * CENTROIDS.spread)


def test_between_two_segments_who_was_where_stays_there():
    middle = at(0.05, 0)
    assert assign(CENTROIDS, middle) == ["s4"]
    assert assign(CENTROIDS, middle, ["s1"]) == ["s1"]
    assert assign(CENTROIDS, at(0.5, 0), ["s1"]) == ["s4"]
    assert assign(CENTROIDS, at(-1, 4), ["s1"]) == [UNUSUAL]
    assert assign(CENTROIDS, at(1, 4.2)) == ["s9"]
    assert assign(CENTROIDS, at(1, 4.2), [UNUSUAL]) == [UNUSUAL]


def test_reasons_are_true_and_the_farthest_come_first():
    vector = at(-1, 3)[0]
    found = reasons(CENTROIDS, vector, {})
    assert [one.feature for one in found] == ["visits", "spend"]
    for one in found:
        assert {">": operator.gt, "<": operator.lt}[one.op](one.value, one.threshold)
    assert found[0].threshold == pytest.approx(np.expm1(2.0))
    assert [one.family for one in found] == ["visits", "spend"]
    both = dict.fromkeys(CENTROIDS.names, "all")
    assert [(one.family, one.feature) for one in reasons(CENTROIDS, vector, both)] == [
        ("all", "visits")
    ]


def test_a_change_tells_what_is_nearer_now_and_not_what_was_far_before_and_after():
    # s4 -> s9: their centres differ in visits alone, though spend is farther from the median.
    found = reasons(CENTROIDS, at(3, 1.6)[0], {}, "s4", "s9")
    assert [(one.feature, one.op) for one in found] == [("visits", ">")]
    # s9 -> s4: visits are as usual now, which is true and a reason.
    found = reasons(CENTROIDS, at(3, 0)[0], {}, "s9", "s4")
    assert [(one.feature, one.op, one.value) for one in found] == [
        ("visits", "==", pytest.approx(np.expm1(2.0)))
    ]
    missing = np.array([at(3, 0)[0][0], np.nan])
    assert [one.op for one in reasons(CENTROIDS, missing, {}, "s9", "s4")] == ["missing"]


def test_a_first_segment_and_one_that_is_no_more_are_told_against_the_population():
    for before in (None, UNUSUAL, "s77"):
        found = reasons(CENTROIDS, at(1.2, 1.8)[0], {}, before, "s9")
        assert [one.feature for one in found] == ["visits", "spend"]
    # Nearer to the medians than to its own centre.
    assert [one.feature for one in reasons(CENTROIDS, at(0.1, 0)[0], {}, None, "s4")] == ["spend"]


@given(ROWS, st.sampled_from([*IDS, None]), st.sampled_from(IDS))
def test_reasons_of_a_change_are_true_few_and_of_distinct_families(values, before, after):
    families = {"spend": "money"}
    for row in values:
        found = reasons(CENTROIDS, row, families, before, after)
        assert len({one.family for one in found}) == len(found) <= TOP
        for one in found:
            assert one.family == families.get(one.feature, one.feature)
            if one.op == "missing":
                assert one.value is None
            else:
                told = {">": operator.gt, "<": operator.lt, "==": operator.eq}[one.op]
                assert told(one.value, one.threshold)


def test_medians_are_told_as_they_were():
    usual = structs.replace(CENTROIDS, median=[float(np.log1p(18)), float(np.log1p(0.3))])
    found = reasons(usual, np.array([19.0, 0.2]), {})
    assert [one.threshold for one in found] == [0.3, 18.0]
    assert reasons(usual, np.array([18.0, 0.3]), {}) == []


def test_missing_values_are_no_reason():
    assert [r.feature for r in reasons(CENTROIDS, np.array([np.nan, 99.0]), {})] == ["visits"]


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="2 columns"):
        assign(CENTROIDS, np.zeros((1, 3)))
    with pytest.raises(ValueError, match="previous"):
        assign(CENTROIDS, np.zeros((2, 2)), ["s1"])
