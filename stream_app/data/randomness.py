"""Random numbers that depend on nothing but a seed and keys, so every slice is the same.

A generator with a state would give a household other sessions as soon as another household is
left out. Here each draw is a hash (the finalizer of SplitMix64, Steele, Lea and Flood 2014) of
the seed, the purpose of the draw and its keys.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_M1: Final = np.uint64(0xBF58476D1CE4E5B9)
_M2: Final = np.uint64(0x94D049BB133111EB)


def bits(seed: ArrayLike, *keys: ArrayLike) -> NDArray[np.uint64]:
    """64 random bits for each combination of the (broadcast) seed and keys."""
    state = _mix(np.atleast_1d(_unsigned(seed)))
    for key in keys:
        state = _mix(state + _unsigned(key) * _GOLDEN + _GOLDEN)
    return state


def uniform(seed: ArrayLike, *keys: ArrayLike) -> NDArray[np.float64]:
    """Uniform in [0, 1)."""
    return np.asarray((bits(seed, *keys) >> np.uint64(11)) * 2.0**-53, np.float64)


def exponential(seed: ArrayLike, *keys: ArrayLike) -> NDArray[np.float64]:
    """Exponential with mean 1."""
    return -np.log1p(-uniform(seed, *keys))


def choose(weights: ArrayLike, u: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions drawn by `weights` with the uniform numbers `u`."""
    edges = np.cumsum(np.asarray(weights, np.float64))
    return np.minimum(np.searchsorted(edges / edges[-1], u, side="right"), len(edges) - 1)


def _unsigned(key: ArrayLike) -> NDArray[np.uint64]:
    return np.atleast_1d(np.asarray(key)).astype(np.uint64)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * _M1
    state = (state ^ (state >> np.uint64(27))) * _M2
    return np.asarray(state ^ (state >> np.uint64(31)))
