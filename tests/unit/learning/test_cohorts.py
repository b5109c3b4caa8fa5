"""Examples meet their outcomes: what closes, is voided, never comes; and in what order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.learning.cohort import TaskExample, top_cut
from stream_app.learning.cohorts import Cohorts

DAY = 86_400_000
HOUR = 3_600_000
HORIZON = 2 * DAY
MAX_GAP = 6 * HOUR


def _example(user, day, partition=0, score=0.5, **more):
    return TaskExample(user, partition, day * DAY, np.array([1.0, np.nan]), score, **more)


def _boolean():
    return Cohorts(HORIZON, MAX_GAP)


def _end(cohorts, day, partition=0, partitions=1, gap=0):
    return cohorts.day_end(partition, partitions, day * DAY, gap)


def _users(closing):
    return [one.example.user for one in closing.examples]


def _answer(cohorts, user, day, value=1.0):
    return cohorts.outcome(user, day * DAY, day * DAY + HORIZON, value)


def test_examples_are_released_in_the_order_of_their_outcomes():
    cohorts = _boolean()
    for user in "abc":
        assert cohorts.sample(_example(user, 1))
    _end(cohorts, 1)
    _end(cohorts, 2)
    for user, value in (("c", 1.0), ("a", 0.0), ("b", 1.0)):
        assert _answer(cohorts, user, 1, value)
    assert cohorts.counts.open == 3
    closing = _end(cohorts, 3)
    assert [(one.example.user, one.positive) for one in closing.examples] == [
        ("c", True),
        ("a", False),
        ("b", True),
    ]
    assert closing.examples[0].example.values[0] == 1.0
    assert (cohorts.counts.open, cohorts.counts.closed) == (0, 3)


def test_a_cohort_closes_when_the_last_partition_has_ended_the_day():
    cohorts = _boolean()
    cohorts.sample(_example("a", 1, partition=0, score=0.9))
    cohorts.sample(_example("b", 1, partition=1, score=0.2, held_out=True))
    for day in (1, 2):
        for partition in (0, 1):
            _end(cohorts, day, partition, 2)
    _answer(cohorts, "a", 1)
    first = _end(cohorts, 3, 0, 2)
    assert (_users(first), first.cohorts) == (["a"], ())
    _answer(cohorts, "b", 1, 0.0)
    second = _end(cohorts, 3, 1, 2)
    assert _users(second) == ["b"]
    (cohort,) = second.cohorts
    assert (cohort.at, cohort.users, cohort.scores.tolist()) == (DAY, ("a", "b"), [0.9, 0.2])
    assert cohort.quality().everyone.auc == 1.0
    assert cohort.quality().held_out.examples == 1


def test_a_cohort_waits_for_partitions_that_have_not_been_heard_of():
    cohorts = _boolean()
    cohorts.sample(_example("a", 1))
    for day in (1, 2, 3, 4):
        assert _end(cohorts, day, 0, 3).cohorts == ()
    for day in (1, 2, 3):
        assert _end(cohorts, day, 2, 3).cohorts == ()
    assert [cohort.at for cohort in _end(cohorts, 3, 1, 3).cohorts] == [DAY]


@pytest.mark.parametrize("off", [-DAY, -1, 1, DAY])
def test_an_outcome_of_another_date_is_refused(off):
    cohorts = _boolean()
    cohorts.sample(_example("a", 1))
    assert not cohorts.outcome("a", DAY, DAY + HORIZON + off, 1.0)
    assert (cohorts.counts.refused, cohorts.counts.open) == (1, 1)
    assert _answer(cohorts, "a", 1)


@pytest.mark.parametrize(("quantile", "value"), [(None, 0.5), (None, np.nan), (0.9, np.inf)])
def test_an_outcome_without_a_meaning_is_refused(quantile, value):
    cohorts = Cohorts(HORIZON, MAX_GAP, quantile)
    cohorts.sample(_example("a", 1))
    assert not _answer(cohorts, "a", 1, value)
    assert cohorts.counts.refused == 1


def test_duplicates_count_once():
    cohorts = _boolean()
    assert cohorts.sample(_example("a", 1, score=0.7))
    assert not cohorts.sample(_example("a", 1, score=0.1))
    assert _answer(cohorts, "a", 1)
    assert not _answer(cohorts, "a", 1, 0.0)
    (cohort,) = _end(cohorts, 3).cohorts
    assert (cohort.scores.tolist(), cohort.positive.tolist()) == ([0.7], [True])
    assert (cohorts.counts.sampled, cohorts.counts.duplicates) == (1, 2)
    assert _end(cohorts, 3).examples == ()


def test_what_comes_after_its_day_has_ended_is_refused():
    cohorts = _boolean()
    _end(cohorts, 1)
    assert not cohorts.sample(_example("a", 1))
    assert not _answer(cohorts, "a", 1)
    assert (cohorts.counts.refused, cohorts.counts.unknown, cohorts.counts.open) == (1, 1, 0)


def test_examples_without_an_outcome_are_dropped_when_the_cohort_closes():
    cohorts = _boolean()
    for user in "ab":
        cohorts.sample(_example(user, 1))
    _answer(cohorts, "a", 1)
    assert cohorts.counts.unmatched == 0
    (cohort,) = _end(cohorts, 3).cohorts
    assert (len(cohort), cohort.unmatched) == (1, 1)
    assert (cohorts.counts.unmatched, cohorts.counts.open) == (1, 0)


@pytest.mark.parametrize(
    ("gap_day", "gap", "voided"),
    [
        (1, 7 * HOUR, 0),
        (2, 7 * HOUR, 1),
        (3, 7 * HOUR, 1),
        (4, 7 * HOUR, 0),
        (2, MAX_GAP, 0),
    ],
)
def test_a_gap_in_the_horizon_voids_and_one_outside_does_not(gap_day, gap, voided):
    cohorts = _boolean()
    cohorts.sample(_example("a", 1))
    closed = []
    for day in (1, 2, 3, 4):
        if day == 3:
            _answer(cohorts, "a", 1)
        closing = _end(cohorts, day, gap=gap if day == gap_day else 0)
        closed += [(len(closing.examples), cohort.voided) for cohort in closing.cohorts]
    assert closed == [(1 - voided, voided)]
    assert (cohorts.counts.voided, cohorts.counts.closed) == (voided, 1 - voided)


def test_a_gap_voids_only_the_examples_of_its_partition():
    cohorts = _boolean()
    for partition, user in enumerate("abcd"):
        cohorts.sample(_example(user, 1, partition % 2))
    for user in "ab":
        _answer(cohorts, user, 1)
    for day in (1, 2, 3):
        for partition in (0, 1):
            closing = _end(cohorts, day, partition, 2, 10 * HOUR * (partition == day - 2 == 0))
    assert closing.cohorts[0].users == ("b",)
    # c is of the partition with the gap, d of the other and without an outcome.
    assert (cohorts.counts.voided, cohorts.counts.unmatched) == (2, 1)


def test_days_that_a_partition_did_not_report_belong_to_the_next_it_reports():
    cohorts = _boolean()
    cohorts.sample(_example("a", 1))
    _end(cohorts, 1)
    (cohort,) = _end(cohorts, 6, gap=4 * DAY).cohorts
    assert (len(cohort), cohort.voided) == (0, 1)
    assert cohort.quality().everyone.auc is None


def test_a_day_end_that_comes_again_changes_nothing():
    cohorts = _boolean()
    for day in (1, 2, 3):
        _end(cohorts, day)
    cohorts.sample(_example("a", 4))
    for again in (3, 1):
        _end(cohorts, again, gap=9 * HOUR)
    assert not cohorts.sample(_example("b", 3))
    for day in (4, 5):
        _end(cohorts, day)
    _answer(cohorts, "a", 4)
    assert _users(_end(cohorts, 6)) == ["a"]


@pytest.mark.parametrize("quantile", [None, 0.5])
def test_an_outcome_counts_until_its_cohort_has_closed(quantile):
    cohorts = Cohorts(HORIZON, MAX_GAP, quantile)
    cohorts.sample(_example("a", 1))
    for day in (1, 2, 3):
        _end(cohorts, day, 0, 2)
    assert _answer(cohorts, "a", 1)
    closing = _end(cohorts, 3, 1, 2)
    assert (_users(closing), closing.cohorts[0].users) == (["a"], ("a",))
    assert not _answer(cohorts, "a", 1)


def test_numbers_are_cut_when_the_cohort_has_closed():
    cohorts = Cohorts(HORIZON, MAX_GAP, quantile=0.5)
    for user, spent in zip("abcd", (5.0, 0.0, 9.0, 1.0), strict=True):
        cohorts.sample(_example(user, 1, partition="abcd".index(user) % 2))
        _answer(cohorts, user, 1, spent)
    assert _end(cohorts, 3, 0, 2).examples == ()
    assert cohorts.counts.open == 4
    closing = _end(cohorts, 3, 1, 2)
    assert {one.example.user for one in closing.examples if one.positive} == {"a", "c"}
    assert all(len(one.example.values) == 2 for one in closing.examples)
    assert (closing.cohorts[0].cut, closing.cohorts[0].positive.sum()) == (1.0, 2)
    assert cohorts.counts.closed == 4


@given(
    st.lists(st.sampled_from([0.0, 0.0, 1.0, 2.5, 7.0]), min_size=1, max_size=40),
    st.sampled_from([0.5, 0.75, 0.9, 0.95]),
)
def test_the_top_share_is_never_larger_and_only_ties_make_it_smaller(values, quantile):
    cut = top_cut(values, quantile)
    above = sum(value > cut for value in values)
    allowed = round((1 - quantile) * 100) * len(values) // 100
    assert above <= allowed
    assert above + values.count(cut) > allowed


def test_the_top_tenth_of_ten_is_one():
    # 1 - 0.9 is a little less than a tenth.
    assert top_cut([float(n) for n in range(10)], 0.9) == 8.0


def test_no_such_partition():
    with pytest.raises(ValueError, match="partition 2 of 2"):
        _boolean().day_end(2, 2, DAY, 0)


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["sample", "outcome", "day", "day"]),
        st.sampled_from("abc"),
        st.integers(1, 8),
        st.integers(0, 1),
        st.sampled_from([0, 0, 0, 7 * HOUR]),
    ),
    max_size=60,
)


@given(_STEPS, st.sampled_from([None, 0.5]))
def test_every_example_ends_one_way_whatever_comes_in_whatever_order(steps, quantile):
    cohorts = Cohorts(HORIZON, MAX_GAP, quantile)
    released, closed, voided, unmatched = [], [], 0, 0

    def end(partition, day, gap):
        nonlocal voided, unmatched
        closing = cohorts.day_end(partition, 2, day * DAY, gap)
        released.extend((one.example.user, one.example.at) for one in closing.examples)
        for cohort in closing.cohorts:
            closed.extend((user, cohort.at) for user in cohort.users)
            voided += cohort.voided
            unmatched += cohort.unmatched

    for kind, user, day, partition, gap in steps:
        if kind == "sample":
            cohorts.sample(_example(user, day, partition))
        elif kind == "outcome":
            _answer(cohorts, user, day)
        else:
            end(partition, day, gap)
        assert cohorts.counts.open >= 0
    for partition in (0, 1):
        end(partition, 20, 0)
    counts = cohorts.counts
    assert counts.open == 0
    assert len(set(released)) == len(released) == counts.closed
    assert sorted(closed) == sorted(released)
    assert (voided, unmatched) == (counts.voided, counts.unmatched)
