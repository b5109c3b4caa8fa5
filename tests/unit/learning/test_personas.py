"""Three populations of known personas, through a drift of two of them, against scikit-learn.

Seven thousand users are drawn within a week, a seventh of them on each day, and again after two
personas have changed their ways and no window holds anything from before. One in a hundred is a
bot with a hundred times the events.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from support.personas import BOT, COLUMNS, DRIFTS, POPULATIONS, Shop, drifted

from stream_app.learning.assignment import UNUSUAL, assign
from stream_app.learning.clusters import SEGMENTS, UNUSUAL_BEHAVIOUR, Clusters
from stream_app.learning.declaration import Segmentation, Unusual
from stream_app.learning.scale import scaled
from stream_app.learning.scoring import score
from stream_app.learning.segments import select
from stream_app.learning.snapshot import Centroids, Model
from stream_app.learning.training import Example, columns_id

DAY = 86_400_000
FIRST = 17_000
USERS = 7_000
BUDGET = 0.02


class Moment(NamedTuple):
    """A population's vectors when its segments were fitted, and what was published then."""

    name: str
    kinds: NDArray[np.int64]
    values: NDArray[np.float64]
    segments: Model
    unusual: Model

    @property
    def scorer(self) -> Centroids:
        assert isinstance(self.segments.scorer, Centroids)
        return self.segments.scorer

    @property
    def ids(self) -> NDArray[np.str_]:
        own = select(self.values, COLUMNS, self.scorer)
        return np.array(assign(self.scorer, own))


def days(trainer: Clusters, numbers: range, values: NDArray[np.float64]) -> dict[str, Model]:
    """Let days pass, on each of which another seventh of the users is drawn; the newest models."""
    newest: dict[str, Model] = {}
    for day in numbers:
        for i in range(day % 7, len(values), 7):
            example = Example(f"u{i}", 0, day * DAY, columns_id(COLUMNS), [0.0], {}, True)
            trainer.example(example, values[i])
        newest |= {model.task: model for model in trainer.day(day * DAY)}
    return newest


@pytest.fixture(scope="module", params=POPULATIONS)
def moments(request: pytest.FixtureRequest) -> list[Moment]:
    """Before the drift and after it: a week after the first fit, and two weeks after it."""
    shop = Shop(POPULATIONS[request.param], USERS, seed=5)
    everyone = Unusual(COLUMNS, BUDGET)
    trainer = Clusters(Segmentation(COLUMNS, 1.0), COLUMNS, unusual=everyone)
    found = []
    for numbers in (range(FIRST, FIRST + 8), range(FIRST + 8, FIRST + 15)):
        if numbers[0] > FIRST:
            shop.change(drifted(request.param))
        values = shop.vectors()
        newest = days(trainer, numbers, values)
        segments, unusual = newest[SEGMENTS], newest[UNUSUAL_BEHAVIOUR]
        assert segments.version == unusual.version == numbers[-1]
        assert segments.trained.examples == USERS
        found.append(Moment(request.param, shop.kinds, values, segments, unusual))
    return found


both = pytest.mark.parametrize("when", [0, 1], ids=["before", "after"])


@both
def test_as_good_as_scikit_learn(moments: list[Moment], when: int) -> None:
    moment = moments[when]
    c, ids = moment.scorer, moment.ids
    usual = ids != UNUSUAL
    own = select(moment.values, COLUMNS, c)[usual]
    z = scaled(own, np.array(c.median), np.array(c.spread))
    theirs = KMeans(len(c.ids), n_init=4, random_state=1).fit_predict(z)
    people = moment.kinds[usual] != BOT
    truth = moment.kinds[usual][people]
    ari = [adjusted_rand_score(truth, found[people]) for found in (ids[usual], theirs)]
    some = np.random.default_rng(0).permutation(len(z))[:4_000]
    silhouettes = [silhouette_score(z[some], found[some]) for found in (ids[usual], theirs)]
    assert ari[0] >= ari[1] - 0.03
    assert silhouettes[0] >= 0.95 * silhouettes[1]


@both
def test_there_are_about_as_many_segments_as_personas(moments: list[Moment], when: int) -> None:
    assert abs(len(moments[when].scorer.ids) - len(POPULATIONS[moments[when].name])) <= 1


def test_personas_that_did_not_change_keep_their_ids(moments: list[Moment]) -> None:
    before, after = moments
    was, now = before.ids, after.ids
    for persona in set(range(len(POPULATIONS[before.name]))) - set(DRIFTS[before.name]):
        mine = before.kinds == persona
        assert commonest(was[mine]) == commonest(now[mine])
        assert np.mean(was[mine] == now[mine]) > 0.85


def commonest(ids: NDArray[np.str_]) -> str:
    names, counts = np.unique(ids, return_counts=True)
    return str(names[counts.argmax()])


@both
def test_bots_are_unusual_and_few_others(moments: list[Moment], when: int) -> None:
    """By segments and by half-space trees, each within its budget."""
    moment = moments[when]
    [threshold] = moment.unusual.thresholds
    scores = score(moment.unusual.scorer, moment.values)
    for found in (moment.ids == UNUSUAL, scores >= threshold):
        assert found[moment.kinds == BOT].mean() >= 0.9
        assert found.mean() <= BUDGET + 1e-9
