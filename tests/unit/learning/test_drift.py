"""Drift: seldom a false alarm in 90 days over 30 series, and real steps within two weeks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.learning.drift import WINDOW_DAYS, Alarm, Watch, _normal, _z

FIRST = 20_000
SERIES = 30
#: The first 48 days are not examined, as 42 of reference and a week are needed.
DAYS = 48 + 90


def stationary(seed: int, likeness: float = 0.0, days: int = DAYS) -> np.ndarray:
    """Daily means (days, series) of spread 1, as like the day before as told, with a rhythm."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((days, SERIES))
    for day in range(1, days):
        noise[day] = likeness * noise[day - 1] + np.sqrt(1 - likeness**2) * noise[day]
    return noise + 10 * rng.standard_normal((7, SERIES))[np.arange(days) % 7]


def watched(means: np.ndarray, watch: Watch | None = None, first: int = FIRST) -> list[Alarm]:
    """All alarms over means (days, series), NaN where a day has none."""
    watch = watch or Watch()
    found = []
    for day, row in enumerate(means.tolist(), start=first):
        found += watch.add(day, {f"s{j:02}": x for j, x in enumerate(row) if x == x})
    return found


def names(alarms: Iterable[Alarm]) -> list[str]:
    return sorted(alarm.series for alarm in alarms)


@pytest.mark.parametrize("likeness", [0.0, 0.5])
@pytest.mark.parametrize("seed", [1])
def test_at_most_one_false_alarm_in_90_days_over_30_series(seed: int, likeness: float) -> None:
    assert len(watched(stationary(seed, likeness))) <= 1


@pytest.mark.parametrize("seed", [1])
def test_steps_are_found_within_two_weeks_and_alarm_once(seed: int) -> None:
    means = stationary(seed, days=60 + 60)
    means[60:, 3] += 2.5
    means[60:, 17] -= 2.5
    alarms = watched(means)
    assert names(alarms) == ["s03", "s17"]
    for alarm in alarms:
        assert FIRST + 60 <= alarm.day < FIRST + 74
        assert alarm.since == pytest.approx(FIRST + 60, abs=3)
        assert abs(alarm.shift) == pytest.approx(2.5, abs=1)
        assert (alarm.shift > 0) == (alarm.series == "s03")
        assert alarm.spread == pytest.approx(1, abs=0.3)
        assert alarm.z > 4


def test_after_an_alarm_the_next_step_is_found_once_there_is_a_reference_again() -> None:
    means = stationary(4, days=170)
    means[60:, 3] += 4
    means[120:, 3] -= 4
    assert names(watched(means)) == ["s03", "s03"]


def test_three_days_off_are_no_drift() -> None:
    means = stationary(5)
    means[100:103] += 5
    assert len(watched(means)) <= 2


def test_missing_days_neither_alarm_nor_hide_a_step() -> None:
    means = stationary(6, days=60 + 30)
    means[np.random.default_rng(6).random(means.shape) < 0.15] = np.nan
    assert watched(means) == []
    means[60:, 3] += 4
    assert names(watched(means)) == ["s03"]


def test_a_series_of_other_weekdays_than_before_cannot_be_compared() -> None:
    means = np.random.default_rng(7).standard_normal((100, 1))
    weekend = np.arange(100) % 7 >= 5
    means[:70][weekend[:70]] = np.nan
    means[70:][~weekend[70:]] = np.nan
    means[70:] += 100
    assert watched(means) == []


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3])
def test_a_constant_that_changes_alarms_and_one_that_is_rounded_does_not(value: float) -> None:
    means = np.full((70, 1), value)
    means[50:] *= 1 + 1e-15
    assert watched(means) == []
    means[50:] += 0.01
    (alarm,) = watched(means)
    assert alarm.since == FIRST + 50
    assert alarm.shift == pytest.approx(0.01)


def test_the_more_series_the_surer_an_alarm_must_be() -> None:
    means = stationary(8, days=90)[:, :1]
    means[60:] += np.linspace(0, 3, 30)[:, None]
    (alone,) = watched(means)
    (among_many,) = watched(np.concatenate([means, np.zeros((90, 100))], axis=1))
    assert alone.series == among_many.series == "s00"
    assert alone.day < among_many.day


@pytest.mark.parametrize("mean", [np.nan, np.inf, -np.inf])
def test_a_mean_that_is_not_finite_is_refused_and_nothing_taken(mean: float) -> None:
    watch = Watch()
    with pytest.raises(ValueError, match="the mean of b on day 3"):
        watch.add(3, {"a": 1.0, "b": mean})
    assert len(watch) == 0


def test_a_series_days_ascend() -> None:
    watch = Watch()
    watch.add(3, {"a": 1.0})
    watch.add(3, {"b": 1.0})
    watch.add(2, {"c": 1.0})
    with pytest.raises(ValueError, match="does not follow"):
        watch.add(3, {"a": 1.0})


def test_a_series_that_ended_is_forgotten() -> None:
    watch = Watch()
    watch.add(0, {"a": 1.0, "b": 1.0})
    watch.add(WINDOW_DAYS - 1, {"a": 1.0})
    assert len(watch) == 2
    watch.add(WINDOW_DAYS, {"a": 1.0})
    assert len(watch) == 1


def test_what_lies_before_twelve_weeks_does_not_matter() -> None:
    means = stationary(9, days=60 + WINDOW_DAYS)[:, :1]
    means[-14:] += 4
    # Wild and seldom, so that none of it is a step by itself.
    means[:40:13] += 1_000
    watch = Watch()
    before = watched(means[:60], watch)
    after = watched(means[60:], watch, FIRST + 60)
    assert before == []
    assert after == watched(means[60:], first=FIRST + 60) != []


@pytest.mark.parametrize("budget", [0.0, -1.0, 1.5])
def test_a_budget_is_more_than_none_and_at_most_one(budget: float) -> None:
    with pytest.raises(ValueError, match="budget"):
        Watch(budget)


@given(
    seed=st.integers(0, 1_000),
    scale=st.floats(1e-3, 1e3),
    sign=st.sampled_from([-1, 1]),
    offset=st.floats(-100, 100),
    rhythm=st.lists(st.floats(-100, 100), min_size=7, max_size=7),
)
@settings(max_examples=50)
def test_unit_sign_level_and_rhythm_do_not_matter(
    seed: int, scale: float, sign: int, offset: float, rhythm: list[float]
) -> None:
    rng = np.random.default_rng(seed)
    days = FIRST + np.flatnonzero(rng.random(80) < 0.9)
    values = rng.standard_normal(len(days))
    spans = np.array([7, 14, 21])
    found = _z(days, values, spans)
    other = sign * scale * (values + offset + np.array(rhythm)[days % 7])
    assert _z(days, other, spans) == pytest.approx(found, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("t", "free", "z"),
    # Student's t and the standard normal of the same probability.
    [(2.0211, 40, 1.9600), (3.5510, 40, 3.2905), (5.7685, 40, 4.8916), (5.3230, 76, 4.8916)],
)
def test_t_becomes_z(t: float, free: int, z: float) -> None:
    assert _normal(np.array([t * t]), free)[0] == pytest.approx(z, rel=1e-3)
