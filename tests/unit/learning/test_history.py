"""Published segments are given once, each on its day."""

from __future__ import annotations

from support.learned import logistic, model, segments

from stream_app.learning.history import History

MODELS = [model("segments", segments(1.0, 2.0), version) for version in (3, 10, 17)]


def test_each_is_given_once_and_the_oldest_first() -> None:
    history = History([MODELS[2], model("buys", logistic("a"), 5), MODELS[0], MODELS[1]])
    assert history.at(2) is None
    assert [one.version for one, _ in history.before(3)] == []
    found = history.at(3)
    assert found is not None
    assert found == (MODELS[0], MODELS[0].scorer)
    assert history.at(3) is None
    assert history
    assert [one.version for one, _ in history.before(18)] == [10, 17]
    assert not history
    assert history.at(17) is None


def test_without_models_nothing_waits() -> None:
    assert not History([model("buys", logistic("a"), 5)])
