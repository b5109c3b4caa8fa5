"""The prediction of the job: a River pipeline whose weights are given (`model.json`)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from river import linear_model, preprocessing

MODEL: dict[str, Any] = json.loads((Path(__file__).parent / "model.json").read_text())
COLUMNS: dict[str, dict[str, float]] = MODEL["columns"]


def parameters() -> dict[str, dict[str, float]]:
    """Mean, scale and weight of each column and then of each column's indicator `column?`."""
    return COLUMNS | {f"{name}?": MODEL["missing"] for name in COLUMNS}


class Scorer:
    """The probability by River's scaler and logistic regression; time stands still for both."""

    def __init__(self) -> None:
        given = parameters()
        self._scaler = preprocessing.StandardScaler()
        self._model = linear_model.LogisticRegression(intercept_init=MODEL["intercept"])
        for name, column in given.items():
            self._scaler.counts[name] = 1
            self._scaler.means[name] = column["mean"]
            self._scaler.vars[name] = column["scale"] ** 2
            self._model._weights[name] = column["weight"]

    def probability(self, features: Mapping[str, Any]) -> float:
        """The probability for features by name, of which None is missing."""
        row: dict[str, float] = {}
        for name in COLUMNS:
            value = features[name]
            row[name] = 0.0 if value is None else math.log1p(value)
            row[f"{name}?"] = 1.0 if value is None else 0.0
        return float(self._model.predict_proba_one(self._scaler.transform_one(row))[True])
