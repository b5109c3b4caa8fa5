"""Silhouette, Rand index and stability against their definitions."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.learning.quality import adjusted_rand, distances, silhouette, stability

LABELS = st.lists(st.integers(0, 3), min_size=2, max_size=14)


def plain_silhouette(values, labels):
    found = []
    for i, own in enumerate(labels):
        to = {
            name: [
                float(np.linalg.norm(values[i] - values[j]))
                for j in range(len(labels))
                if j != i and labels[j] == name
            ]
            for name in set(labels)
        }
        if len(to) < 2 or not to[own]:
            found.append(0.0)
            continue
        a = np.mean(to[own])
        b = min(np.mean(apart) for name, apart in to.items() if name != own)
        found.append((b - a) / max(a, b) if max(a, b) else 0.0)
    return np.mean(found)


@given(LABELS, st.integers(0, 9))
def test_silhouette_is_the_definition(labels, seed):
    values = np.random.default_rng(seed).normal(size=(len(labels), 3))
    found = silhouette(distances(values), np.array(labels))
    assert found == pytest.approx(plain_silhouette(values, labels))


@given(st.data())
def test_rand_index_is_the_definition(data):
    a = data.draw(LABELS)
    b = data.draw(st.lists(st.integers(0, 3), min_size=len(a), max_size=len(a)))
    pairs = list(combinations(range(len(a)), 2))
    left, right = ([x[i] == x[j] for i, j in pairs] for x in (a, b))
    both = sum(p and q for p, q in zip(left, right, strict=True))
    chance = sum(left) * sum(right) / len(pairs)
    most = (sum(left) + sum(right)) / 2
    expected = 1.0 if most == chance else (both - chance) / (most - chance)
    assert adjusted_rand(np.array(a), np.array(b)) == pytest.approx(expected)


def test_rand_index_does_not_ask_for_names():
    a = np.array([0, 0, 1, 1, 2])
    assert adjusted_rand(a, np.array(["z", "z", "y", "y", "x"])) == 1.0
    rng = np.random.default_rng(0)
    assert abs(adjusted_rand(rng.integers(4, size=4_000), rng.integers(4, size=4_000))) < 0.01


def test_what_is_there_is_stable_and_what_is_not_is_not():
    rng = np.random.default_rng(0)
    middles = np.array([[0.0, 0], [9, 0], [0, 9]])
    blobs = middles[rng.integers(3, size=300)] + rng.normal(size=(300, 2))
    assert stability(blobs, middles, rng) > 0.95
    cloud = rng.normal(size=(300, 6))
    assert stability(cloud, cloud[:6], rng) < 0.6
    assert stability(np.repeat(middles[:2], 2, axis=0), middles[:2], rng, rounds=20) < 1.0
