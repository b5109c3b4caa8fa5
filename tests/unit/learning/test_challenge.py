"""A challenger wins by evidence: users as witnesses, three cohorts, one promotion a horizon."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.learning.challenge import Challenge, Difference, difference
from stream_app.learning.measures import log_loss

DAY = 86_400_000
HORIZON = 7 * DAY
WIN = Difference(0.05, 0.01, 0.03, 500, 500)
DRAW = Difference(0.05, 0.04, -0.02, 500, 500)
UNKNOWN = Difference(None, None, None, 0, 0)


def _run(results, start=0, challenge=None):
    """The state after cohorts from day `start` on, and the days of those that promoted."""
    challenge = challenge or Challenge(HORIZON, margin=0.01)
    promoted = []
    for day, found in enumerate(results, start):
        challenge = challenge.after(day * DAY, found)
        if challenge.promotes(day * DAY):
            promoted.append(day)
    return challenge, promoted


def _data(seed, n=400):
    random = np.random.default_rng(seed)
    truth = random.beta(2, 5, size=n)
    return random, truth, random.random(n) < truth, [f"u{i}" for i in range(n)]


def test_the_mean_is_the_difference_of_the_log_losses():
    random, truth, y, users = _data(1)
    noisy = np.clip(truth + random.normal(0, 0.1, 400), 0.01, 0.99)
    found = difference(noisy, truth, y, users)
    assert found.mean == pytest.approx(log_loss(noisy, y) - log_loss(truth, y))
    gain = -np.log(np.where(y, noisy, 1 - noisy)) + np.log(np.where(y, truth, 1 - truth))
    # One example a user: the common standard error of a mean.
    assert found.error == pytest.approx(gain.std(ddof=1) / 20)
    assert found.lower == pytest.approx(found.mean - 1.6448536 * found.error)


def test_repeating_users_adds_no_evidence():
    random, truth, y, users = _data(2)
    noisy = np.clip(truth + random.normal(0, 0.1, 400), 0.01, 0.99)
    once = difference(noisy, truth, y, users)
    often = difference(np.tile(noisy, 9), np.tile(truth, 9), np.tile(y, 9), users * 9)
    assert (often.mean, often.error) == pytest.approx((once.mean, once.error))
    assert (often.examples, often.users) == (3600, 400)


@given(st.randoms(use_true_random=False))
def test_the_order_of_examples_does_not_matter(random):
    _, truth, y, users = _data(3, 60)
    users = [users[i // 2] for i in range(60)]
    order = random.sample(range(60), 60)
    found = difference(truth[order], truth[::-1][order], y[order], [users[i] for i in order])
    expected = difference(truth, truth[::-1], y, users)
    assert found.lower == pytest.approx(expected.lower)


def test_examples_without_both_scores_are_left_out():
    _, truth, y, users = _data(4)
    other = np.where(np.arange(400) < 100, np.nan, truth)
    assert difference(truth, other, y, users).examples == 300
    assert difference(truth * np.nan, truth, y, users) == UNKNOWN
    few = difference(truth[:29], truth[:29], y[:29], users[:29])
    assert (few.mean, few.error, few.lower) == (0.0, None, None)


def test_an_equal_challenger_beats_the_bound_in_one_of_twenty():
    wins = 0
    for seed in range(1000):
        random = np.random.default_rng(seed)
        # Five examples a user with a common luck: both are equally wrong about the truth.
        luck = np.repeat(random.normal(0, 1, size=80), 5)
        y = random.random(400) < 1 / (1 + np.exp(-luck))
        one, two = (1 / (1 + np.exp(-np.repeat(random.normal(0, 1, 80), 5))) for _ in "ab")
        found = difference(one, two, y, [f"u{i // 5}" for i in range(400)])
        wins += found.lower > 0
    # Binomial around .05: three standard deviations are .02; 80 clusters cost a little.
    assert 0.03 < wins / 1000 < 0.075


def test_three_successive_wins_promote():
    assert _run([WIN, WIN])[1] == []
    assert _run([WIN, WIN, WIN])[1] == [2]


@pytest.mark.parametrize("other", [DRAW, UNKNOWN, Difference(0.02, 0.001, 0.01, 500, 500)])
def test_anything_else_between_begins_anew(other):
    assert _run([WIN, WIN, other, WIN, WIN])[1] == []
    assert _run([WIN, WIN, other, WIN, WIN, WIN])[1] == [5]


def test_after_a_promotion_only_cohorts_of_the_new_pair_count():
    # Promoted when cohort 2 closes, on day 9: the first of the new pair is sampled then.
    assert _run([WIN] * 11)[1] == [2]
    assert _run([WIN] * 12)[1] == [2, 11]


@given(st.lists(st.sampled_from([WIN, WIN, WIN, DRAW, UNKNOWN]), max_size=60))
def test_promotions_are_a_horizon_apart_and_each_has_its_three_wins(results):
    _, promoted = _run(results)
    for day in promoted:
        assert results[day - 2 : day + 1] == [WIN] * 3
    for first, second in pairwise(promoted):
        assert second - first >= 7


def test_cohorts_come_in_order():
    challenge, _ = _run([WIN, WIN])
    with pytest.raises(ValueError, match="comes after"):
        challenge.after(DAY, WIN)
