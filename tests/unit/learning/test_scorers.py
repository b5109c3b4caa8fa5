"""What is wrong with a scorer beyond its schema: each fault by itself, none with a good one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from stream_app.learning.scorers import Centroids, HalfSpaceTrees, Logistic, Quantiles, Scorer

LOGISTIC = Logistic(
    names=["a", "a?"],
    mean=[0.0, 0.0],
    scale=[1.0, 1.0],
    weights=[1.0, 2.0],
    intercept=0.0,
    platt=None,
    reference=[0.0, 0.0],
)
TREES = HalfSpaceTrees(
    names=["a", "a?"],
    low=[0.0, 0.0],
    high=[1.0, 1.0],
    window=9,
    feature=[[0, 1, 0], [1, 1, 1]],
    threshold=[[0.5, 0.5, 0.5], [0.1, 0.2, 0.3]],
    mass=[[9, 4, 5, 2, 2, 2, 3], [9, 9, 0, 9, 0, 0, 0]],
    median=[0.5, 0.0],
    spread=[0.2, 1.0],
)
CENTROIDS = Centroids(
    ids=["s1", "s2", "s3"],
    names=["a", "b"],
    centre=[[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]],
    median=[0.0, 0.0],
    spread=[1.0, 1.0],
    bound=3.0,
    sizes=[3, 2, 1],
    margin=0.1,
    labels=["few", "some", "many"],
    since=[0, 0, 86_400_000],
    shares=[0.1, 0.2, 0.7],
    issued=3,
    fits=2,
)
QUANTILES = Quantiles(by_column={"a": [(0.1, 1.0), (0.5, 1.0), (0.9, 2.0)], "b": []})


@pytest.mark.parametrize("scorer", [LOGISTIC, TREES, CENTROIDS, QUANTILES])
def test_good_ones_have_none(scorer: Scorer) -> None:
    assert list(scorer.faults()) == []


@pytest.mark.parametrize(
    ("scorer", "changed", "faults"),
    [
        (LOGISTIC, {"names": ["a", "a"]}, ["names: a name comes twice"]),
        (LOGISTIC, {"mean": [0.0]}, ["mean: 1 entries for 2 names"]),
        (LOGISTIC, {"scale": [1.0] * 3}, ["scale: 3 entries for 2 names"]),
        (LOGISTIC, {"weights": []}, ["weights: 0 entries for 2 names"]),
        (LOGISTIC, {"reference": [0.0]}, ["reference: 1 entries for 2 names"]),
        (TREES, {"names": ["a", "a"]}, ["names: a name comes twice"]),
        (TREES, {"low": [0.0]}, ["low: 1 entries for 2 names"]),
        (TREES, {"high": [1.0] * 3}, ["high: 3 entries for 2 names"]),
        (TREES, {"median": [1.0]}, ["median: 1 entries for 2 names"]),
        (TREES, {"spread": []}, ["spread: 0 entries for 2 names"]),
        (TREES, {"high": [1.0, -1.0]}, ["low: above high"]),
        (TREES, {"feature": [[0, 1, 0], [1, 2, 1]]}, ["feature: an index beyond the 2 names"]),
        (TREES, {"threshold": [[0.5] * 3]}, ["threshold: 1 entries for 2 trees"]),
        (TREES, {"mass": [[9] * 7] * 3}, ["mass: 3 entries for 2 trees"]),
        (TREES, {"feature": [[0] * 3, [1] * 2]}, ["feature[1]: 2 entries for 3 inner nodes"]),
        (TREES, {"threshold": [[0.5] * 2, [0.5] * 3]},
         ["threshold[0]: 2 entries for 3 inner nodes"]),
        (TREES, {"mass": [[9] * 7, [9] * 6]}, ["mass[1]: 6 entries for 7 nodes"]),
        (TREES, {"feature": [[0] * 2] * 2, "threshold": [[0.5] * 2] * 2, "mass": [[9] * 5] * 2},
         ["feature[0]: 2 nodes are no complete binary tree"]),
        (CENTROIDS, {"ids": ["s1", "s1", "s2"]}, ["ids: a name comes twice"]),
        (CENTROIDS, {"names": ["a", "a"]}, ["names: a name comes twice"]),
        (CENTROIDS, {"centre": [[0.0, 1.0]]}, ["centre: 1 entries for 3 ids"]),
        (CENTROIDS, {"centre": [[0.0, 1.0], [2.0], [4.0, 5.0]]},
         ["centre[1]: 1 entries for 2 names"]),
        (CENTROIDS, {"median": [0.0]}, ["median: 1 entries for 2 names"]),
        (CENTROIDS, {"spread": []}, ["spread: 0 entries for 2 names"]),
        (CENTROIDS, {"sizes": [6]}, ["sizes: 1 entries for 3 ids"]),
        (CENTROIDS, {"labels": ["few"]}, ["labels: 1 entries for 3 ids"]),
        (CENTROIDS, {"since": [0] * 4}, ["since: 4 entries for 3 ids"]),
        (CENTROIDS, {"shares": [1.0]}, ["shares: 1 entries for 3 ids"]),
        (CENTROIDS, {"labels": [], "since": [], "shares": None}, []),
        (QUANTILES, {"by_column": {"a": [(0.5, 1.0), (0.5, 2.0)]}},
         ["by_column.a: quantiles that do not rise"]),
        (QUANTILES, {"by_column": {"a": [(0.1, 3.0), (0.5, 2.0)]}},
         ["by_column.a: quantiles that do not rise"]),
    ],
)  # fmt: skip
def test_each_fault(scorer: Scorer, changed: dict[str, Any], faults: list[str]) -> None:
    assert list(msgspec.structs.replace(scorer, **changed).faults()) == faults
