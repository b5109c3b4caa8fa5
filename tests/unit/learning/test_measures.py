"""The measures against their definitions, in any order, and where they have no answer."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.learning.measures import (
    auc,
    calibration,
    lift,
    log_loss,
    losses,
    measure,
    precision,
    quality,
)

# Few distinct scores, so that ties are the rule.
_PAIRS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 1.0]), st.booleans()),
    min_size=2,
    max_size=25,
).filter(lambda pairs: len({y for _, y in pairs}) == 2)
_SCORED = (auc, log_loss, lift, calibration)


def _arrays(pairs):
    return np.array([p for p, _ in pairs]), np.array([y for _, y in pairs], dtype=bool)


@given(_PAIRS)
def test_auc_is_the_share_of_pairs_in_the_right_order(pairs):
    ups = [p for p, y in pairs if y]
    downs = [p for p, y in pairs if not y]
    halves = sum(2 * (up > down) + (up == down) for up in ups for down in downs)
    assert auc(*_arrays(pairs)) == halves / (2 * len(ups) * len(downs))


def test_auc_is_exact_where_positives_are_rare_and_scores_small():
    # All scores lie in one bin of a binned AUC, which cannot tell them apart.
    p = np.arange(1, 1001) * 1e-6
    y = np.zeros(1000, dtype=bool)
    y[[999, 819, 639]] = True
    assert auc(p, y) == (997 + 818 + 639) / (3 * 997)


@given(_PAIRS)
def test_lift_is_the_mean_over_all_ways_to_fill_the_decile(pairs):
    p, y = _arrays(pairs)
    size = -(-len(p) // 10)
    best = max(sum(p[list(c)]) for c in combinations(range(len(p)), size))
    ways = [c for c in combinations(range(len(p)), size) if sum(p[list(c)]) >= best - 1e-12]
    hits = np.mean([y[list(c)].sum() for c in ways])
    assert lift(p, y) == pytest.approx(hits / size / y.mean())


@pytest.mark.parametrize(("n", "best"), [(9, 1), (10, 1), (11, 2), (20, 2), (21, 3)])
def test_a_decile_is_rounded_up(n, best):
    p = np.arange(n, dtype=float)
    # As many positives as the decile has places, all of them in it.
    assert lift(p, p >= n - best) == pytest.approx(n / best)


@given(_PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_examples_does_not_matter(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    for of in _SCORED:
        assert of(*_arrays(shuffled)) == pytest.approx(of(*_arrays(pairs)), rel=1e-12)
    assert auc(*_arrays(shuffled)) == auc(*_arrays(pairs))


@given(_PAIRS)
def test_auc_is_mirrored_when_scores_are_reversed(pairs):
    p, y = _arrays(pairs)
    assert auc(1 - p, y) == pytest.approx(1 - auc(p, y), abs=1e-12)


def test_log_loss_is_in_nats_and_bounded():
    y = np.array([True, False])
    assert log_loss(np.array([0.5, 0.5]), y) == pytest.approx(np.log(2))
    assert log_loss(np.array([0.9, 0.2]), y) == pytest.approx(-(np.log(0.9) + np.log(0.8)) / 2)
    assert losses(np.array([0.0, 1.0]), y) == pytest.approx(-np.log([1e-6, 1e-6]))


def test_calibration_is_the_distance_of_the_means():
    p, y = np.array([0.5, 0.3, 0.1, 0.1]), np.array([True, True, False, False])
    assert calibration(p, y) == pytest.approx(0.25)


@pytest.mark.parametrize("y", [[], [True, True], [False, False]])
def test_no_examples_or_one_class_has_no_answer(y):
    outcomes = np.array(y, dtype=bool)
    for of in _SCORED:
        assert of(np.full(len(y), 0.5), outcomes) is None


def test_precision_is_of_the_selected_alone():
    y = np.array([True, False, True, False])
    assert precision(np.array([True, True, False, False]), y) == 0.5
    assert precision(np.array([False, True, False, True]), y) == 0.0
    assert precision(np.zeros(4, dtype=bool), y) is None


@pytest.mark.parametrize("p", [[0.5, np.nan], [0.5]])
def test_scores_that_cannot_be_ranked_are_refused(p):
    for of in _SCORED:
        with pytest.raises(ValueError, match="one for each"):
            of(np.array(p), np.array([True, False]))


def test_users_without_a_score_count_but_are_not_measured():
    p = np.array([np.nan, 0.8, 0.2, np.nan])
    y = np.array([True, True, False, False])
    found = measure(p, y, np.array([False, True, False, False]))
    assert (found.examples, found.positives, found.scored, found.rate) == (4, 2, 2, 0.5)
    assert (found.auc, found.selected, found.precision) == (1.0, 1, 1.0)
    assert measure(p[:0], y[:0], y[:0]).rate is None


def test_held_out_and_exposed_users_are_measured_apart():
    p = np.array([0.9, 0.1, 0.9, 0.1])
    y = np.array([True, False, False, True])
    found = quality(p, y, np.array([True, True, False, False]), p > 0.5)
    assert (found.held_out.auc, found.exposed.auc, found.everyone.auc) == (1.0, 0.0, 0.5)
    assert (found.held_out.precision, found.exposed.precision) == (1.0, 0.0)
    assert found.everyone.examples == 4
