"""What is told of a fit: whom segments have, their shares, how far they went."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.learned import segments

from stream_app.learning.fitting import fitted, moved, nearest, plain_centroids, shares
from stream_app.learning.scale import Scale

SCALE = Scale(("clicks_24h", "spend_30d"), np.array([1.0, 0.0]), np.array([2.0, 1.0]), ())


def test_who_is_far_from_all_belongs_to_none() -> None:
    centroids = segments(0.0, 3.0, bound=1.0)
    z = np.array([[0.1, 0.0], [2.9, 0.0], [1.6, 0.0], [9.0, 0.0]])
    assert nearest(z, centroids).tolist() == [0, 1, 2, 2]


def test_shares_are_of_all_and_of_what_counts() -> None:
    labels = np.array([0, 0, 1, 2, 1])
    worth = np.array([1.0, 2.0, 3.0, 4.0, -5.0])
    assert shares(labels, worth, 2) == [0.3, 0.3]
    assert shares(labels, np.array([np.nan, 1.0, 1.0, np.nan, -1.0]), 2) == [0.5, 0.5]
    assert shares(labels, np.zeros(5), 2) == [0.0, 0.0]


@given(st.lists(st.tuples(st.integers(0, 3), st.floats()), min_size=1, max_size=20), st.randoms())
def test_shares_are_probabilities_in_whatever_order(pairs, random) -> None:
    def found() -> list[float]:
        labels, worth = zip(*pairs, strict=True)
        return shares(np.array(labels), np.array(worth), 3)

    before = found()
    assert all(0 <= share <= 1 for share in before)
    assert sum(before) <= 1 + 1e-9
    random.shuffle(pairs)
    assert found() == before


def test_movement_is_in_the_spreads_of_the_later_fit_and_of_ids_in_both() -> None:
    before = segments(0.0, 2.0, ids=("s1", "s2"))
    after = msgspec.structs.replace(
        segments(0.0, 2.0, ids=("s2", "s9")), median=[1.0, 0.0], spread=[2.0, 1.0]
    )
    # s2 was at the logarithm 2, which is .5 on the later scale.
    assert moved(before, after) == {"s2": pytest.approx(0.5)}


def test_a_fit_begins_where_the_segments_stood_however_narrow_the_scale_has_become() -> None:
    z = np.repeat([[-1.0, 0.0], [1.0, 0.0]], 50, axis=0)
    old = segments(-1e9, 1e9)
    centres = fitted(z, z[[50, 0]], np.random.default_rng(0), 0.0, SCALE, old)
    assert centres.tolist() == [[-1.0, 0.0], [1.0, 0.0]]


def test_without_segments_before_the_largest_comes_first() -> None:
    z = np.repeat([[-1.0, 0.0], [1.0, 0.0]], [20, 80], axis=0)
    centres = fitted(z, z[[0, 99]], np.random.default_rng(0), 0.0, SCALE, None)
    assert centres.tolist() == [[1.0, 0.0], [-1.0, 0.0]]
    assert plain_centroids(z, centres, SCALE, 0.02, 0.15).sizes == [80, 20]
