"""Quantiles of a week's sampled users: right, by user, and the same in whatever order they came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.learning.population import QUANTILES, Population, Summary
from stream_app.learning.sampling import hashes, units

DAY = 20_000
Sample = tuple[int, str, float]

samples = st.dictionaries(
    st.tuples(st.integers(DAY - 8, DAY + 1), st.sampled_from("abcdefghijkl")),
    st.one_of(st.floats(-1e6, 1e6), st.just(np.nan)),
    max_size=60,
).map(lambda found: [(day, user, value) for (day, user), value in found.items()])


def population(samples: list[Sample], cap: int = 10_000) -> Population:
    found = Population(["x"], cap)
    for day, user, value in samples:
        found.add(day, user, np.array([value]))
    return found


def values_of(summary: Summary, column: str = "x") -> list[float]:
    return [value for _, value in summary.quantiles[column]]


def test_quantiles_are_those_of_the_values() -> None:
    found = population([(DAY, f"u{i}", float(i)) for i in range(1, 1_001)]).summary(DAY)
    assert found.users == 1_000
    assert found.quantiles["x"] == [(q, pytest.approx(1_000 * q)) for q in QUANTILES]


def test_a_user_counts_once_by_his_newest_vector() -> None:
    often = [(DAY - back, "often", 100.0 + back) for back in range(6, -1, -1)]
    rare = [(DAY - 3, f"rare-{i}", 1.0) for i in range(3)]
    found = population(often + rare).summary(DAY)
    assert found.users == 4
    assert values_of(found) == [1, 1, 1, 1, 1, 1, 100, 100, 100]


@pytest.mark.parametrize(("day", "users"), [(DAY - 1, 0), (DAY, 1), (DAY + 6, 1), (DAY + 7, 0)])
def test_a_vector_counts_for_seven_days(day: int, users: int) -> None:
    assert population([(DAY, "u", 1.0)]).summary(day).users == users


def test_missing_values_are_left_out_and_told() -> None:
    found = Population(["x", "never"])
    for i in range(4):
        found.add(DAY, f"u{i}", np.array([np.nan if i == 0 else 5.0, np.nan]))
    summary = found.summary(DAY)
    assert summary.missing == {"x": 0.25, "never": 1.0}
    assert set(values_of(summary)) == {5.0}
    assert summary.quantiles["never"] == []


def test_nobody_has_no_quantiles() -> None:
    assert Population(["x"]).summary(DAY) == Summary(0, {"x": []}, {"x": 1.0})


@given(samples, st.integers(1, 8), st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(found: list[Sample], cap: int, random) -> None:
    one = population(found, cap).summary(DAY)
    random.shuffle(found)
    assert population(found, cap).summary(DAY) == one


@given(samples, st.integers(1, 8))
def test_the_cap_keeps_the_users_of_the_smallest_units(found: list[Sample], cap: int) -> None:
    kept = []
    for day in {day for day, _, _ in found}:
        users = [user for at, user, _ in found if at == day]
        order = np.argsort(units(hashes(users), day))[:cap]
        chosen = {users[i] for i in order}
        kept += [sample for sample in found if sample[0] == day and sample[1] in chosen]
    assert population(found, cap).summary(DAY) == population(kept).summary(DAY)


@given(samples)
def test_quantiles_ascend_and_are_values_of_users(found: list[Sample]) -> None:
    quantiles = values_of(population(found).summary(DAY))
    assert quantiles == sorted(quantiles)
    assert set(quantiles) <= {value for _, _, value in found}


@given(samples, st.integers(DAY - 10, DAY + 2))
def test_forgetting_days_before_the_window_changes_nothing(found: list[Sample], day: int) -> None:
    whole = population(found)
    before = whole.summary(day)
    whole.forget(day - 7)
    for sample in found:
        if sample[0] <= day - 7:
            whole.add(sample[0], sample[1], np.array([1e9]))
    assert whole.summary(day) == before


def test_memory_is_bounded_and_forgotten_days_are_gone() -> None:
    found = population([(DAY, f"u{i}", float(i)) for i in range(1_000)], cap=50)
    assert len(found) < 100
    found.forget(DAY)
    found.forget(DAY - 3)
    found.add(DAY, "late", np.array([1.0]))
    assert len(found) == 0


def test_a_cap_leaves_the_quantiles_unbiased() -> None:
    rng = np.random.default_rng(1)
    all_values = rng.exponential(100, 20_000)
    found = population([(DAY, f"u{i}", v) for i, v in enumerate(all_values.tolist())], cap=4_000)
    ranks = [(all_values <= value).mean() for value in values_of(found.summary(DAY))]
    # Four standard errors of a median's rank.
    assert ranks == pytest.approx(QUANTILES, abs=4 * np.sqrt(0.25 / 4_000))


def test_the_same_sample_may_come_twice() -> None:
    once = [(DAY, f"u{i}", float(i)) for i in range(10)]
    assert population(once + once).summary(DAY) == population(once).summary(DAY)


@pytest.mark.parametrize("vector", [[1.0, 2.0], [], [np.inf], [-np.inf]])
def test_a_wrong_vector_is_refused(vector: list[float]) -> None:
    with pytest.raises(ValueError, match=r"columns|infinite"):
        Population(["x"]).add(DAY, "u", np.array(vector))


def test_a_cap_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        Population(["x"], cap=0)
