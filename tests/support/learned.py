"""Models made by hand, and a catalogue of all forms of learned tags for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from support.clicks import CATALOGUE
from support.partition import program

from stream_app.engine import Program
from stream_app.engine.models import Models
from stream_app.learning.snapshot import (
    Centroids,
    HalfSpaceTrees,
    Logistic,
    Model,
    Scorer,
    Trained,
)
from stream_app.learning.training import columns_id

LEARNING = """
learning:
  predictions:
    buys:
      description: Will buy within two days.
      among: clicks_24h >= 1
      features: [clicks_24h, spend_30d]
      outcome: clicks_2d > 0
      horizon: 2d
      rate: 1
      bands: {mid: 0.2, high: 0.5, top: 0.8, margin: 0.05}
      holdout: 0.0
    stays:
      features: [clicks_24h, price_7d]
      outcome: clicks_2d > 0
      horizon: 2d
      rate: 1
      precision: 0.6
      holdout: 0.0
  segments: {features: [clicks_24h, spend_30d], rate: 1}
"""
FEATURES = CATALOGUE.replace("features:\n", "features:\n  clicks_2d: {count: clicks, window: 2d}\n")
TEXT = FEATURES + LEARNING


_KINDS = {Centroids: "segments", HalfSpaceTrees: "anomaly", Logistic: "classifier"}


def learned(text: str = TEXT) -> Program:
    """A catalogue that learns, compiled."""
    return program(text)


def model(task: str, scorer: Scorer, version: int = 1, **fields: Any) -> Model:
    """A version in use; `fields` override what it says."""
    names = [name for name in scorer.names if not name.endswith("?")]
    given: dict[str, Any] = {
        "kind": _KINDS[type(scorer)], "task": task,
        "version": version, "parent": None, "columns": names, "columns_id": columns_id(names),
        "created_at": 0, "trained": Trained(from_=0, to=0, examples=1, positives=1), "metrics": {},
        "scorer": scorer, "state": "live", "thresholds": [],
    }  # fmt: skip
    return Model(**(given | fields))


def logistic(*columns: str, odds: float = 0.25, weights: tuple[float, ...] = ()) -> Logistic:
    """The odds are (1 + the first column) * `odds`, unless `weights` say otherwise."""
    count = len(columns)
    given = [*(weights or (1.0, *[0.0] * (count - 1))), *[0.0] * count]
    return Logistic(
        names=[*columns, *(f"{name}?" for name in columns)],
        mean=[0.0] * (2 * count),
        scale=[1.0] * (2 * count),
        weights=given,
        intercept=float(np.log(odds)),
        platt=None,
        reference=[0.0] * (2 * count),
    )


def segments(*centres: float, ids: tuple[str, ...] = (), bound: float = 100.0) -> Centroids:
    """Segments by logarithms of clicks_24h; spend_30d counts for nothing near the centres."""
    return Centroids(
        ids=list(ids or (f"s{n}" for n in range(1, len(centres) + 1))),
        names=["clicks_24h", "spend_30d"],
        centre=[[centre, 0.0] for centre in centres],
        median=[0.0, 0.0],
        spread=[1.0, 1e9],
        bound=bound,
        sizes=[1] * len(centres),
        margin=0.15,
    )


def trees(clicks: float) -> HalfSpaceTrees:
    """One split: below so many clicks_24h the score is .2, from there on .6."""
    return HalfSpaceTrees(
        names=["clicks_24h", "spend_30d", "clicks_24h?", "spend_30d?"],
        low=[0.0] * 4,
        high=[9.0] * 4,
        window=10,
        feature=[[0]],
        threshold=[[float(np.log1p(clicks))]],
        mass=[[10, 7, 1]],
        median=[float(np.log1p(1.0)), 0.0, 0.0, 0.0],
        spread=[1.0] * 4,
    )


def snapshots(**changes: Model | None) -> dict[str, Model]:
    """The current models of all tasks; None takes one away."""
    found: dict[str, Model | None] = {
        "buys": model("buys", logistic("clicks_24h", "spend_30d")),
        "stays": model("stays", logistic("clicks_24h", "price_7d"), 7, thresholds=[0.5]),
        "segments": model("segments", segments(0.0, float(np.log(6.0))), 3),
    }
    return {name: one for name, one in (found | changes).items() if one is not None}


def models(of: Program | None = None, **changes: Model | None) -> Models:
    """The same, compiled."""
    learning = (of or learned()).catalogue.learning
    assert learning is not None
    return Models.of(learning, snapshots(**changes))
