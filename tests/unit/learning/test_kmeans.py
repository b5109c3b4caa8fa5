"""k-means by River's interface: in batches, across processes, refusing what ruins it."""

import subprocess
import sys

import numpy as np
import pytest
from river import base, compose

from stream_app.learning.kmeans import KMeans

FEATURES = ("a", "b")


def blobs(n=400, seed=0):
    rng = np.random.default_rng(seed)
    middles = np.array([[0, 0], [4, 0], [0, 4]])
    return middles[rng.integers(3, size=n)] + rng.normal(0, 0.3, size=(n, 2))


def learned(values, **settings):
    model = KMeans(FEATURES, 3, **{"warm_up": 100, **settings})
    model.learn_many(values)
    return model


def test_one_by_one_is_as_in_batches():
    values = blobs()
    batches, single = KMeans(FEATURES, 3, warm_up=100), KMeans(FEATURES, 3, warm_up=100)
    for part in np.split(values, [0, 70, 130, 131]):
        batches.learn_many(part)
    for row in values.tolist():
        single.learn_one(dict(zip(FEATURES, row, strict=True)))
    assert np.array_equal(batches.centres, single.centres)
    assert batches.tally == single.tally
    batches.refit()
    single.refit()
    assert np.array_equal(batches.centres, single.centres)


def test_finds_blobs_and_predicts_them():
    model = learned(blobs())
    found = {model.predict_one({"a": a, "b": b, "more": 1}) for a, b in ((0, 0), (4, 0), (0, 4))}
    assert found == {0, 1, 2}
    assert sum(model.tally.n) == 300
    assert model.tally.sse < 300


def test_only_a_refit_moves_the_centres():
    model = learned(blobs())
    before = model.centres.copy()
    model.learn_many(blobs(seed=1) + 0.5)
    assert np.array_equal(model.centres, before)
    model.refit()
    assert np.abs(model.centres - before).max() > 0.1
    assert sum(model.tally.n) == 0
    # Warm: the numbers of the centres stay.
    assert np.abs(model.centres - before).max() < 1


def test_parts_add_up_to_the_whole():
    values, whole = blobs(), learned(blobs(seed=3))
    parts = []
    for part in (values[::3], values[1::3], values[2::3]):
        one = KMeans(FEATURES, 3)
        one.broadcast(whole.centres)
        one.learn_many(part)
        parts.append(one.tally)
    one.broadcast(whole.centres)
    one.learn_many(values)
    assert parts[2] + (parts[0] + parts[1]) == one.tally


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, None, 1e9])
def test_what_is_not_a_finite_number_is_refused_and_nothing_learned(bad):
    model = learned(blobs())
    tally = model.tally
    with pytest.raises(ValueError, match="b is"):
        model.learn_one({"a": 0.0, "b": bad})
    with pytest.raises(ValueError, match="b is"):
        model.learn_many(np.array([[0.0, 0.0], [0.0, np.nan if bad is None else bad]]))
    with pytest.raises(ValueError, match="b is"):
        model.predict_one({"a": 0.0, "b": bad})
    assert model.tally == tally
    before = model.centres
    model.refit()
    assert np.isfinite(model.centres).all()
    assert np.abs(model.centres - before).max() < 0.5


def test_an_absent_feature_is_refused_and_so_is_another_width():
    model = learned(blobs())
    with pytest.raises(ValueError, match="b is nan"):
        model.learn_one({"a": 1.0})
    with pytest.raises(ValueError, match="2 features"):
        model.learn_many(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="centres of shape"):
        model.broadcast(np.zeros((2, 2)))


def test_predicts_before_it_has_learned():
    assert KMeans(FEATURES, 3).predict_one({"a": 0.0, "b": 0.0}) == 0


def test_is_one_of_rivers_estimators():
    model = compose.Select("a", "b") | KMeans(FEATURES, 3, warm_up=50)
    for row in blobs(60).tolist():
        model.learn_one({"a": row[0], "b": row[1], "c": float("nan")})
    assert model.predict_one({"a": 0.0, "b": 0.0, "c": 1.0}) in {0, 1, 2}
    assert isinstance(model["KMeans"], base.Clusterer)
    copy = learned(blobs(), seed=7).clone()
    assert (copy.seed, copy.n_clusters, copy.centres) == (7, 3, None)


def test_the_same_in_another_process():
    code = (
        "import numpy as np; from stream_app.learning.kmeans import KMeans;"
        "m = KMeans(('a', 'b'), 3, warm_up=100, seed=4);"
        "m.learn_many(np.random.default_rng(1).normal(size=(200, 2))); m.refit();"
        "print(m.centres.tobytes().hex())"
    )
    run = [sys.executable, "-c", code]
    outputs = {
        subprocess.run(run, capture_output=True, check=True, env={"PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
