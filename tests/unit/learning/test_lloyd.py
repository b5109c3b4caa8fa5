"""Lloyd with k-means++, warm starts and trimming."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.learning.lloyd import fit_centres, lloyd, seeds, squared_distances


def blobs(n=300, seed=0):
    rng = np.random.default_rng(seed)
    return rng.permutation(np.repeat([[0.0, 0], [9, 0], [0, 9]], n // 3, axis=0)) + rng.normal(
        size=(n, 2)
    )


def rng():
    return np.random.default_rng(3)


@given(st.integers(0, 99), st.integers(1, 6))
def test_a_fit_is_a_fixed_point(seed, k):
    values = np.random.default_rng(seed).normal(size=(40, 3))
    fit = fit_centres(values, k, rng(), starts=1)
    squared = squared_distances(values, fit.centres)
    assert (fit.labels == squared.argmin(1)).all()
    assert fit.inertia == pytest.approx(squared.min(1).sum())
    for j in range(k):
        assert fit.centres[j] == pytest.approx(values[fit.labels == j].mean(0))


def test_the_best_of_several_starts_is_no_worse_than_one():
    values = np.random.default_rng(0).normal(size=(300, 4))
    fits = [fit_centres(values, 8, rng(), starts=starts).inertia for starts in (1, 3, 12)]
    assert fits == sorted(fits, reverse=True)
    assert fits[0] > fits[-1]


def test_far_vectors_that_are_trimmed_draw_no_centre():
    values = np.concatenate([blobs(), np.full((4, 2), 1e3) + blobs(300)[:4]])
    near = np.abs(fit_centres(values, 3, rng(), trim=0.02).centres).max()
    assert near < 12
    assert np.abs(fit_centres(values, 3, rng()).centres).max() > 500


def test_a_warm_start_gives_way_only_to_what_is_clearly_better():
    values = blobs()
    best = fit_centres(values, 3, rng())
    swapped = best.centres[[2, 0, 1]]
    assert np.allclose(fit_centres(values, 3, rng(), warm=swapped).centres, swapped)
    # A local minimum: two centres in one blob, one between the two others.
    stuck = np.array([[0.0, -1], [0, 1], [4.5, 4.5]])
    kept = lloyd(np.vstack([values, values]), stuck, 600)
    assert fit_centres(values, 3, rng(), warm=stuck).inertia == pytest.approx(best.inertia)
    assert kept.inertia >= 2 * best.inertia - 1e-9


def test_a_centre_that_nobody_is_near_is_put_to_use():
    far = np.array([[0.0, 0], [9, 0], [500, 500]])
    fit = lloyd(blobs(), far, 300)
    assert set(fit.labels) == {0, 1, 2}
    assert np.abs(fit.centres).max() < 12


def test_seeds_are_vectors_and_differ():
    values = blobs()
    found = seeds(values, 5, rng(), 300)
    assert len(np.unique(found, axis=0)) == 5
    assert all((values == row).all(1).any() for row in found)


@pytest.mark.parametrize(("n", "k"), [(0, 1), (3, 4), (5, 0)])
def test_fewer_distinct_vectors_than_centres_are_refused(n, k):
    with pytest.raises(ValueError, match="centres"):
        fit_centres(np.arange(n)[:, None] * 1.0, k, rng())
    with pytest.raises(ValueError, match="centres"):
        fit_centres(np.ones((50, 2)), 2, rng())
