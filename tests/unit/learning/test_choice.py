"""How many segments: as many as there are, changed reluctantly."""

import numpy as np
import pytest

from stream_app.learning import choice
from stream_app.learning.choice import BETTER, STABLE, Check, choose


def blobs(k, n=400, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * rng.integers(k, size=n) / k
    return 3 * np.array([np.cos(angle), np.sin(angle)]).T + rng.normal(0, noise, (n, 2))


def check(values, before=None, bounds=(3, 8)):
    return choose(values, bounds, np.random.default_rng(1), 0.0, before)[0]


@pytest.mark.parametrize("k", [3, 4, 5, 6])
def test_as_many_as_there_are(k):
    found = check(blobs(k))
    assert found.k == k
    assert found.stabilities[k] >= STABLE
    assert set(found.silhouettes) == set(range(3, 9))


def test_another_k_must_win_two_checks_in_a_row():
    values, used = blobs(5), Check(3, {}, {})
    first = check(values, used)
    assert (first.k, first.challenger) == (3, 5)
    assert (check(values, first).k, check(values, first).challenger) == (5, None)
    # Another winner in between begins anew.
    other = check(blobs(6), first)
    assert (other.k, other.challenger) == (3, 6)
    assert check(values, other).challenger == 5
    # And so does a check that nobody wins.
    none = check(blobs(3), first)
    assert (none.k, none.challenger) == (3, None)


@pytest.mark.parametrize(("better", "challenger"), [(0.019, None), (0.021, 4)])
def test_what_is_hardly_better_does_not_win(monkeypatch, better, challenger):
    monkeypatch.setattr(choice, "stability", lambda *_: 1.0)
    monkeypatch.setattr(choice, "_silhouettes", lambda *_: {3: 0.4, 4: 0.4 + better, 5: 0.3})
    assert BETTER == 0.02
    assert check(blobs(3), Check(3, {}, {}), (3, 5)).challenger == challenger


@pytest.mark.parametrize(("stability", "challenger"), [(STABLE - 0.01, None), (STABLE, 5)])
def test_what_is_unstable_does_not_win(monkeypatch, stability, challenger):
    monkeypatch.setattr(choice, "stability", lambda *_: stability)
    assert check(blobs(5), Check(3, {}, {})).challenger == challenger


def test_where_nothing_is_stable_the_most_stable_is_taken():
    found = check(np.random.default_rng(0).normal(size=(100, 8)), bounds=(5, 9))
    assert max(found.stabilities.values()) < STABLE
    assert found.stabilities[found.k] == max(found.stabilities.values())


def test_a_k_out_of_bounds_is_left_at_once():
    assert check(blobs(4), Check(20, {}, {})).k == 4


def test_too_few_distinct_vectors_are_refused():
    with pytest.raises(ValueError, match="distinct"):
        check(np.zeros((50, 2)))
