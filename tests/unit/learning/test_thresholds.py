"""Thresholds against their definitions; bands that hold still within the margin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.learning.thresholds import (
    NO_BAND,
    banded,
    for_precision,
    for_top_share,
    selects,
    wilson_lower,
)

EDGES = (0.2, 0.5, 0.8)
_SCORES = st.lists(st.sampled_from([0.1, 0.2, 0.4, 0.6, 0.9, 0.95]), min_size=1, max_size=60)


def _wilson(positives, selected):
    return float(wilson_lower(np.array([positives]), np.array([selected]))[0])


@given(st.integers(1, 500), st.data())
def test_wilson_rises_with_positives_and_with_evidence(selected, data):
    positives = data.draw(st.integers(0, selected - 1))
    assert _wilson(positives, selected) < _wilson(positives + 1, selected)
    assert _wilson(positives, selected + 1) <= _wilson(positives, selected)
    assert 0 <= _wilson(positives, selected) <= positives / selected
    if positives:
        assert _wilson(10 * positives, 10 * selected) > _wilson(positives, selected)


def test_wilson_is_the_share_that_would_show_as_much_by_chance_in_a_tenth_of_all_cases():
    # The definition: share - bound = z sqrt(bound (1 - bound) / n), with z of 90 %, one-sided.
    bound = _wilson(150, 200)
    assert 0.75 - bound == pytest.approx(1.2815515655 * np.sqrt(bound * (1 - bound) / 200))
    assert _wilson(0, 200) == _wilson(0, 0) == 0


def test_wilson_covers_nine_of_ten():
    random = np.random.default_rng(1)
    for share in (0.1, 0.3, 0.7):
        hits = random.binomial(300, share, size=20_000)
        covered = (wilson_lower(hits, np.full(20_000, 300)) <= share).mean()
        # The count is discrete: one more or less of 300 moves the coverage by .02 or so.
        assert 0.87 < covered < 0.93


@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.booleans()), max_size=80),
    st.sampled_from([0.3, 0.5, 0.7]),
    st.randoms(use_true_random=False),
)
def test_the_threshold_is_the_lowest_that_meets_the_target(pairs, target, random):
    random.shuffle(pairs)
    p = np.array([p for p, _ in pairs], dtype=float)
    y = np.array([y for _, y in pairs], dtype=bool)
    judged = {}
    for value in sorted(set(p)):
        hits, selected = int(y[p >= value].sum()), int((p >= value).sum())
        if selected >= 10 and hits >= 5:
            judged[value] = (hits / selected, _wilson(hits, selected))
    found = for_precision(p, y, target, min_selected=10, min_positives=5)
    met = [value for value, (_, lower) in judged.items() if lower >= target]
    assert found.value == (met[0] if met else None)
    if met:
        assert (found.precision, found.lower) == pytest.approx(judged[met[0]])
    else:
        assert found.precision == max((share for share, _ in judged.values()), default=None)


def test_a_perfect_but_small_selection_is_not_judged():
    p = np.linspace(0, 1, 1000)
    y = p > 0.85
    assert for_precision(p, y, 0.9).value is None
    assert for_precision(p, y, 0.9).precision == 0.75
    assert for_precision(p, y, 0.9, min_selected=100).value == pytest.approx(0.838, abs=0.002)
    assert for_precision(p, p > 0.975, 0.1, min_selected=20).precision is None


def test_a_threshold_found_keeps_its_target_on_later_users():
    random = np.random.default_rng(2)
    broken, found = 0, 0
    for _ in range(200):
        p = random.beta(1, 3, size=3000)
        threshold = for_precision(p, random.random(3000) < p, 0.5)
        if threshold.value is not None:
            found += 1
            # Calibrated scores: the precision that a threshold really has.
            broken += (1 + 3 * threshold.value) / 4 < 0.5
    # The bound holds in nine of ten cases for one threshold; the lowest of many is a little bolder.
    assert found > 190
    assert broken / found < 0.25


@given(_SCORES, st.sampled_from([0.05, 0.1, 0.25, 0.5, 1.0]))
def test_a_top_share_is_never_larger_and_only_ties_make_it_smaller(scores, share):
    p = np.array(scores)
    threshold = for_top_share(p, share)
    chosen = selects(p, threshold)
    assert chosen.sum() <= share * len(p) + 1e-9
    lower = p[~chosen]
    if len(lower):
        assert (p >= lower.max()).sum() > share * len(p)


def test_a_top_share_of_distinct_scores_is_exact():
    p = np.random.default_rng(3).permutation(1000) / 1000
    assert selects(p, for_top_share(p, 0.1)).sum() == 100
    assert for_top_share(np.full(10, 0.3), 0.5) is None
    assert for_top_share(np.empty(0), 0.5) is None


def test_nobody_is_selected_without_a_threshold_or_a_score():
    p = np.array([0.9, np.nan, 0.1])
    assert selects(p, 0.5).tolist() == [True, False, False]
    assert not selects(p, None).any()


_ROWS = st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1)), min_size=1, max_size=40)
_MARGINS = st.sampled_from([0.0, 0.03, 0.2])


@given(_ROWS, _MARGINS)
def test_bands_one_user_at_a_time(rows, margin):
    """The same as climbing and falling edge by edge."""
    previous = np.array([code for code, _ in rows])
    p = np.array([score for _, score in rows])
    expected = []
    for code, score in rows:
        while code < 3 and score >= EDGES[code] + margin:
            code += 1
        while code > 0 and score < EDGES[code - 1] - margin:
            code -= 1
        expected.append(code)
    assert banded(previous, p, EDGES, margin).tolist() == expected


@given(_ROWS, _MARGINS)
def test_within_the_margin_nothing_changes(rows, margin):
    """A user stays whose score is in the band widened by the margin on both sides."""
    previous = np.array([code for code, _ in rows])
    p = np.array([score for _, score in rows])
    low = np.array([-np.inf, *(edge - margin for edge in EDGES)])[previous]
    high = np.array([*(edge + margin for edge in EDGES), np.inf])[previous]
    stays = (low <= p) & (p < high)
    after = banded(previous, p, EDGES, margin)
    assert ((after == previous) == stays).all()
    assert (banded(after, p, EDGES, margin) == after).all()


@given(st.lists(st.floats(0, 1), min_size=1), st.integers(0, 3))
def test_without_a_margin_only_the_score_counts(scores, code):
    p = np.array(scores)
    nobody = np.full(len(p), NO_BAND)
    plain = banded(nobody, p, EDGES, 0.2)
    assert plain.tolist() == [sum(score >= edge for edge in EDGES) for score in scores]
    assert (banded(np.full(len(p), code), p, EDGES, 0.0) == plain).all()


def test_without_a_score_a_band_stays():
    assert banded(np.array([2, NO_BAND]), np.full(2, np.nan), EDGES, 0.05).tolist() == [2, NO_BAND]


@pytest.mark.parametrize(("edges", "margin"), [((0.5, 0.5), 0.1), ((0.5, 0.2), 0.1), (EDGES, -0.1)])
def test_edges_must_rise(edges, margin):
    with pytest.raises(ValueError, match="must rise"):
        banded(np.array([0]), np.array([0.5]), edges, margin)
