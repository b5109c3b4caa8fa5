"""Flips are counted of tags, so that a rare tag cannot be exchanged unnoticed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.learning.flips import flips
from stream_app.learning.thresholds import NO_BAND

_CODES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40)


def _codes(pairs):
    return np.array(pairs, dtype=np.int64).reshape(-1, 2).T


def test_a_selection():
    before = np.array([True, True, False, False, False])
    after = np.array([True, False, True, False, False])
    found = flips(before, after)
    assert (found.vectors, found.tagged, found.flipped) == (5, 3, 2)
    assert found.share == pytest.approx(2 / 3)
    assert found.exceed(0.66)
    assert not found.exceed(2 / 3)


def test_a_rare_tag_that_moves_to_other_users_is_held():
    before, after = np.zeros(1000, dtype=bool), np.zeros(1000, dtype=bool)
    before[:50] = after[50:100] = True
    assert flips(before, after).share == 1.0


def test_bands_count_every_change_and_the_lowest_band_where_it_is_a_tag():
    before, after = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 3])
    assert flips(before, after).share == pytest.approx(2 / 3)
    assert flips(before, after, absent=NO_BAND).share == pytest.approx(2 / 4)


def test_without_tags_there_is_nothing_to_hold():
    for n in (0, 5):
        found = flips(np.zeros(n, dtype=bool), np.zeros(n, dtype=bool))
        assert found.share is None
        assert not found.exceed(0.0)


def test_other_vectors_are_refused():
    with pytest.raises(ValueError, match="tags before"):
        flips(np.zeros(2), np.zeros(3))


@given(_CODES, st.randoms(use_true_random=False))
def test_neither_order_nor_direction_matters(pairs, random):
    before, after = _codes(pairs)
    found = flips(before, after)
    assert flips(after, before) == found
    assert flips(*_codes(random.sample(pairs, len(pairs)))) == found
    assert flips(before, before).flipped == 0
    assert found.flipped <= found.tagged <= found.vectors
