"""Drift is told for four weeks; few alarms are false."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.learned import logistic, model, segments
from support.personas import COLUMNS as SHOP_COLUMNS
from support.personas import POPULATIONS, Shop

from stream_app.domain.clock import DAY
from stream_app.learning.alarms import LEAST, TOLD_DAYS, Drift, means

COLUMNS = tuple(f"feature_{i}" for i in range(12))


def shop_days(seed: int, days: int, users: int = 200) -> list[np.ndarray]:
    """Users of a shop with a weekly rhythm, in which nothing else changes."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(0, 4, len(COLUMNS))
    rhythm = rng.normal(0, 0.2, (7, len(COLUMNS)))
    return [
        np.exp(rng.normal(level + rhythm[day % 7], 1.0, (users, len(COLUMNS))))
        for day in range(days)
    ]


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_at_most_one_false_alarm_in_ninety_stationary_days(seed: int) -> None:
    drift = Drift()
    losses = np.random.default_rng(seed).normal(0.4, 0.05, 90)
    for day, vectors in enumerate(shop_days(seed, 90)):
        drift.add(day, means(vectors, COLUMNS))
        drift.add(day, {"buys_log_loss": losses[day]})
    assert len(drift.take()) <= 1


def test_windows_that_move_slowly_are_no_drift() -> None:
    """Thirty days of a shop's users change little from one day to the next; a tenth are drawn."""
    shop, rng, drift = Shop(POPULATIONS["market"], 1_000, 3), np.random.default_rng(0), Drift()
    for _ in range(30):
        shop.day()
    for day in range(90):
        values = shop.vectors()
        drift.add(day, means(values[rng.random(len(values)) < 0.1], SHOP_COLUMNS))
        shop.day()
    assert len(drift.take()) <= 1


def test_a_step_is_told_once_to_the_shell_and_for_four_weeks_to_readers() -> None:
    drift, told = Drift(), {}
    for day, vectors in enumerate(shop_days(9, 130)):
        if day >= 70:
            vectors[:, 3] *= 2
        drift.add(day, means(vectors, COLUMNS))
        told |= {(alarm.series, alarm.day): alarm for alarm in drift.take()}
        known = [alarm.day for alarm in drift.recent(day)]
        assert known == [at for _, at in told if day - TOLD_DAYS < at <= day]
    [alarm] = told.values()
    assert alarm.series == "feature_3"
    assert abs(alarm.since - 70) <= 2
    assert alarm.day <= 77
    assert alarm.shift == pytest.approx(math.log(2), rel=0.3)


def test_a_loss_that_rises_is_an_alarm() -> None:
    drift, found = Drift(), []
    rng = np.random.default_rng(4)
    for day in range(90):
        loss = rng.normal(0.4 + 0.2 * (day >= 60), 0.03)
        told = {"created_at": day * DAY, "metrics": {"log_loss": loss if day > 2 else None}}
        others = [model("segments", segments(0.0, 1.0), **told)]
        found += drift.losses([*others, model("buys", logistic("a"), **told)])
    assert [alarm.series for alarm in found] == ["buys_log_loss"]
    assert drift.take() == found


def test_what_cannot_be_watched_is_left_out() -> None:
    drift = Drift()
    for mean in (None, math.nan, math.inf):
        assert drift.add(5, {"a": mean}) == []
    drift.add(5, {"a": 1.0})
    # Two cohorts that close at once, or one that is late.
    drift.add(5, {"a": 1.0})
    drift.add(4, {"a": 1.0})
    drift.add(6, {"a": 1.0, "b": 2.0})
    assert drift.take() == []


def test_means_are_of_logarithms_and_of_those_who_have_a_value() -> None:
    values = np.full((LEAST + 5, 3), np.nan)
    values[:LEAST, 0] = np.expm1(2.0)
    values[: LEAST - 1, 1] = 1.0
    assert means(values, ("a", "b", "c")) == {"a": pytest.approx(2.0)}
    assert means(values[:0], ("a", "b", "c")) == {}
