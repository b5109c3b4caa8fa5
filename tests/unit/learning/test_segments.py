"""Fits of segments: their order, their ids and what they go on from; for how good, personas."""

import numpy as np
import pytest
from support.personas import BOT, COLUMNS, POPULATIONS, Shop

from stream_app.learning.assignment import UNUSUAL, assign
from stream_app.learning.lloyd import squared_distances
from stream_app.learning.scale import scaled
from stream_app.learning.segments import Settings, fit_segments, select

N = 1_500


def ids_of(segments, shop, previous=None):
    own = select(shop.vectors(), COLUMNS, segments.centroids)
    return np.array(assign(segments.centroids, own, previous))


def test_bots_take_no_part_in_the_fit():
    shop = Shop(POPULATIONS["market"], N, seed=5)
    values, kinds = shop.vectors(), shop.kinds
    segments = fit_segments(values, COLUMNS, Settings(seed=5))
    ids = ids_of(segments, shop)
    c = segments.centroids
    assert sum(c.sizes) == np.sum(ids != UNUSUAL)
    z = scaled(select(values, COLUMNS, c), np.array(c.median), np.array(c.spread))
    usual = z[kinds != BOT]
    labels = squared_distances(usual, np.array(c.centre)).argmin(1)
    means = np.array([usual[labels == j].mean(0) for j in range(len(c.ids))])
    assert np.abs(means - c.centre).max() < 0.25


def test_few_users_change_segment_a_day_when_nothing_drifts():
    shop = Shop(POPULATIONS["market"], N, seed=2)
    segments = fit_segments(shop.vectors(), COLUMNS, Settings())
    ids, changes, plain_changes = ids_of(segments, shop), [], []
    for _ in range(4):
        plain = ids_of(segments, shop)
        shop.day()
        now = ids_of(segments, shop, list(ids))
        changes.append(np.mean(now != ids))
        plain_changes.append(np.mean(ids_of(segments, shop) != plain))
        ids = now
    again = fit_segments(shop.vectors(), COLUMNS, Settings(), segments)
    changes.append(np.mean(ids_of(again, shop, list(ids)) != ids))
    assert max(changes) < 0.05
    assert sum(changes[:4]) < sum(plain_changes)


def small():
    return Shop(POPULATIONS["grocery"], 300, seed=1).vectors()


SETTINGS = Settings(k=(3, 6))


def told(segments):
    return (segments.centroids, segments.check)


def test_the_same_samples_give_the_same_segments_in_any_order():
    values = small()
    one = fit_segments(values, COLUMNS, SETTINGS)
    other = fit_segments(np.random.default_rng(0).permutation(values), COLUMNS, SETTINGS)
    assert told(one) == told(other)
    next_ones = [fit_segments(values, COLUMNS, SETTINGS, s) for s in (one, other)]
    assert told(next_ones[0]) == told(next_ones[1])
    assert next_ones[0].centroids.fits == 2


def test_a_fit_goes_on_from_where_the_segments_stood():
    values = small()
    first = fit_segments(values[:200], COLUMNS, SETTINGS)
    second = fit_segments(values, COLUMNS, SETTINGS, first)
    assert second.centroids.ids == first.centroids.ids
    assert second.centroids.labels == first.centroids.labels


def blob(x, y, size, n=150):
    noise = np.random.default_rng((n, int(10 * x), int(10 * y))).normal(0, size, (n, 2))
    return np.expm1(np.array([10.0 + x, 10.0 + y]) + noise)


def test_a_segment_that_moves_beside_another_does_not_take_its_id():
    settings, names = Settings(k=(4, 4)), ("a", "b")
    still = [blob(6, 0, 0.2), blob(0, 6, 0.7), blob(6, 6, 0.7)]
    first = fit_segments(np.concatenate([blob(0, 0, 0.2, 180), *still]), names, settings)
    beside = blob(4.8, 0, 0.2, 180)
    # By the old segments, those who moved belong to the neighbour, more than it has itself.
    (neighbour,) = set(assign(first.centroids, still[0])) - {UNUSUAL}
    assert assign(first.centroids, beside).count(neighbour) > 150
    second = fit_segments(np.concatenate([beside, *still]), names, settings, first)
    assert assign(second.centroids, still[0]).count(neighbour) > 140
    assert assign(second.centroids, beside).count(neighbour) == 0


def test_a_feature_that_appears_and_one_that_goes_are_no_break():
    values = small()
    first = fit_segments(values, COLUMNS, SETTINGS)
    names = (*COLUMNS[1:], "new")
    wider = np.column_stack([values[:, 1:], np.arange(len(values)) % 2])
    second = fit_segments(wider, names, SETTINGS, first)
    assert "new" in second.centroids.names
    assert set(first.centroids.ids) & set(second.centroids.ids)


@pytest.mark.parametrize(
    "values", [np.empty((0, 2)), np.ones((59, 2)), np.ones((500, 2)), np.full((500, 2), np.nan)]
)
def test_too_little_to_tell_segments_apart_is_refused(values):
    with pytest.raises(ValueError):
        fit_segments(values, ("a", "b"), Settings())
