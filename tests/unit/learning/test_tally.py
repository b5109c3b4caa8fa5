"""Tallies of parts add up to that of the whole, to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stream_app.learning.lloyd import squared_distances
from stream_app.learning.tally import LARGEST, Tally, refuse

CENTRES = np.array([[0.0, 0.0], [5.0, 5.0], [-100.0, 3.0]])
VALUES = hnp.arrays(
    np.float64, st.tuples(st.integers(0, 40), st.just(2)), elements=st.floats(-LARGEST, LARGEST)
)


@given(VALUES, st.lists(st.integers(0, 40)), st.randoms())
def test_parts_add_up_in_whatever_split_and_order(values, cuts, random):
    parts = [Tally.of(part, CENTRES) for part in np.split(values, sorted(cuts))]
    random.shuffle(parts)
    found = Tally.none(3, 2)
    for part in parts:
        found += part
    assert found == Tally.of(values, CENTRES)
    assert found == Tally.of(values[::-1], CENTRES)


@given(VALUES)
def test_a_tally_is_counts_means_and_squares(values):
    tally = Tally.of(values, CENTRES)
    squared = squared_distances(values, CENTRES)
    labels = squared.argmin(axis=1)
    assert tally.n == tuple(np.bincount(labels, minlength=3))
    assert tally.sse == pytest.approx(squared.min(axis=1).sum(), abs=1e-4)
    for j, mean in enumerate(tally.means(CENTRES)):
        mine = values[labels == j]
        assert mean == pytest.approx(mine.mean(axis=0) if len(mine) else CENTRES[j], abs=1e-6)


def test_no_sum_overflows():
    wide = np.full((5_000, 256), LARGEST)
    tally = Tally.of(wide, -wide[:1])
    assert tally.n == (5_000,)
    assert tally.sse == 5_000 * 256 * (2 * LARGEST) ** 2


def test_tallies_of_other_centroids_are_not_added():
    with pytest.raises(ValueError, match="different"):
        Tally.none(2, 2) + Tally.none(3, 2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, LARGEST * 1.001])
def test_refusal_names_the_feature(bad):
    with pytest.raises(ValueError, match="b is"):
        refuse(np.array([[1.0, 2.0], [LARGEST, bad]]), ("a", "b"))
    refuse(np.array([[LARGEST, -LARGEST]]), ("a", "b"))
