"""Segments of generated shoppers against their personas, and against a plain k-means."""

import numpy as np
import pytest
from support.personas import BOT, COLUMNS, DRIFTS, POPULATIONS, Shop, drifted

from stream_app.learning.assignment import UNUSUAL, assign
from stream_app.learning.lloyd import squared_distances
from stream_app.learning.quality import adjusted_rand, distances, silhouette
from stream_app.learning.scale import scaled
from stream_app.learning.segments import Settings, fit_segments, select

N = 1_500


def ids_of(segments, shop, previous=None):
    own = select(shop.vectors(), COLUMNS, segments.centroids)
    return np.array(assign(segments.centroids, own, previous))


def reference_kmeans(z, k, starts=20):
    """A plain Lloyd from random vectors, by another route than the module's."""
    rng, best = np.random.default_rng(99), (np.inf, None)
    for _ in range(starts):
        centres, labels = z[rng.choice(len(z), k, replace=False)], None
        for _ in range(60):
            apart = (z**2).sum(1)[:, None] - 2 * z @ centres.T + (centres**2).sum(1)
            new = apart.argmin(1)
            if labels is not None and (new == labels).all():
                break
            labels = new
            filled = [z[labels == j].mean(0) if (labels == j).any() else z[j] for j in range(k)]
            centres = np.array(filled)
        inertia = ((z - centres[labels]) ** 2).sum()
        best = min(best, (inertia, labels), key=lambda pair: pair[0])
    return best[1]


@pytest.fixture(scope="module", params=list(POPULATIONS))
def story(request):
    """A population's shop, its first fit and ids, and after a drift the next fit and ids."""
    shop = Shop(POPULATIONS[request.param], N, seed=5)
    first = fit_segments(shop.vectors(), COLUMNS, Settings(seed=5))
    before = (shop.vectors(), first, ids_of(first, shop))
    shop.change(drifted(request.param))
    second = fit_segments(shop.vectors(), COLUMNS, Settings(seed=5), first)
    after = (shop.vectors(), second, ids_of(second, shop))
    return request.param, shop.kinds, before, after


@pytest.mark.parametrize("moment", [0, 1])
def test_as_good_as_a_plain_kmeans(story, moment):
    _, kinds, *moments = story
    values, segments, ids = moments[moment]
    c = segments.centroids
    usual = ids != UNUSUAL
    z = scaled(select(values, COLUMNS, c), np.array(c.median), np.array(c.spread))[usual]
    plain = reference_kmeans(z, len(c.ids))
    people = kinds[usual] != BOT
    truth = kinds[usual][people]
    ours = adjusted_rand(ids[usual][people], truth)
    assert ours >= adjusted_rand(plain[people], truth) - 0.03
    assert ours > 0.8
    between = distances(z[:600])
    assert silhouette(between, ids[usual][:600]) >= 0.95 * silhouette(between, plain[:600])


@pytest.mark.parametrize("moment", [0, 1])
def test_number_of_segments_is_about_that_of_the_personas(story, moment):
    name, _, *moments = story
    assert abs(len(moments[moment][1].centroids.ids) - len(POPULATIONS[name])) <= 1


def test_personas_that_did_not_change_keep_their_ids(story):
    name, kinds, (_, _, was), (_, _, now) = story
    for persona in set(range(len(POPULATIONS[name]))) - set(DRIFTS[name]):
        mine = kinds == persona
        assert np.mean(was[mine] == now[mine]) > 0.85, persona


@pytest.mark.parametrize("moment", [0, 1])
def test_bots_are_unusual_and_few_others(story, moment):
    _, kinds, *moments = story
    unusual = moments[moment][2] == UNUSUAL
    assert np.mean(unusual[kinds == BOT]) >= 0.9
    assert np.mean(unusual) <= 0.02


def test_bots_take_no_part_in_the_fit(story):
    _, kinds, (values, segments, ids), _ = story
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
