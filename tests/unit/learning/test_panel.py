"""Several scorers at once: each gives the bits that it gives alone, whoever is beside it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stream_app.learning.logs import Logs
from stream_app.learning.panel import Panel
from stream_app.learning.scorers import Logistic
from stream_app.learning.scoring import score
from stream_app.learning.transform import Design

NAMES = ("d", "a", "c", "b", "e")
VECTORS = arrays(np.float64, st.tuples(st.integers(1, 20), st.just(5)), elements=st.floats())


@st.composite
def logistics(draw):
    columns = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    width = 2 * len(columns)

    def some(elements):
        return draw(st.lists(elements, min_size=width, max_size=width))

    return Logistic(
        names=list(Design(columns).names),
        mean=some(st.floats(-50, 50)),
        scale=some(st.floats(0.1, 10)),
        weights=some(st.floats(-3, 3)),
        intercept=draw(st.floats(-5, 5)),
        platt=draw(st.none() | st.tuples(st.floats(0.1, 2), st.floats(-2, 2))),
        reference=[0.0] * width,
    )


@given(st.lists(logistics(), min_size=1, max_size=4), VECTORS)
def test_each_scores_as_if_alone(scorers, values):
    found = Panel(scorers).scores(Logs.of(NAMES, values))
    for scorer, scores in zip(scorers, found, strict=True):
        columns = scorer.names[: len(scorer.names) // 2]
        own = values[:, [NAMES.index(name) for name in columns]]
        assert scores.tolist() == score(scorer, own).tolist()


def test_many_users_are_scored_in_slices():
    values = np.random.default_rng(1).normal(size=(1_300, 5))
    values[::3, 2] = np.nan
    scorer = Logistic(
        names=list(Design(NAMES).names),
        mean=[0.1] * 10,
        scale=[1.5] * 10,
        weights=[0.3, -0.2, 0.7, 0.1, -0.9, 0, 0, 0.5, 0, 0],
        intercept=-0.3,
        platt=None,
        reference=[0.0] * 10,
    )
    found = score(scorer, values)
    for i in (0, 499, 500, 1_299):
        assert found[i] == score(scorer, values[i : i + 1])[0]


def test_without_scorers_there_are_no_scores():
    assert Panel([]).scores(Logs.of(NAMES, np.zeros((3, 5)))).shape == (0, 3)
