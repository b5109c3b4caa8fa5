"""Draws by hashing: reproducible, independent of the company they keep, and evenly spread."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.data.randomness import bits, choose, exponential, uniform

KEYS = st.lists(st.integers(0, 2**40), min_size=1, max_size=20)


@given(seed=st.integers(0, 2**62), keys=KEYS)
def test_a_draw_depends_on_its_own_key_only(seed, keys):
    together = bits(seed, np.array(keys), 3).tolist()
    assert together == [int(bits(seed, key, 3)[0]) for key in keys]


def test_neighbouring_keys_and_seeds_have_nothing_in_common():
    seen = [bits(seed, np.arange(1000), stream) for seed in (1, 2) for stream in range(5)]
    assert len(np.unique(np.concatenate(seen))) == 10_000


def test_draws_are_spread_evenly():
    u = uniform(7, np.arange(100_000))
    assert 0 <= u.min() < u.max() < 1
    counts = np.histogram(u, bins=20, range=(0, 1))[0]
    assert abs(counts - 5000).max() < 350
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 0.02
    assert abs(exponential(7, np.arange(100_000)).mean() - 1) < 0.02


def test_choices_follow_their_weights_and_never_fall_outside():
    drawn = choose((3, 0, 1), uniform(9, np.arange(40_000)))
    counts = np.bincount(drawn, minlength=3)
    assert counts[1] == 0
    assert abs(counts[0] / 40_000 - 0.75) < 0.02
    assert choose((3, 0, 1), np.array([0.0, 1.0])).tolist() == [0, 2]
