"""The catalogue of the measurement reads purchases only, so nothing in it is simulated."""

from __future__ import annotations

from stream_app.engine import load_catalogue
from stream_app.learning.declaration import Bands, Precision, TopShare
from stream_app.report.comparisons import reads_clicks, recency_of


def test_every_feature_reads_purchases_only() -> None:
    features = load_catalogue("purchases").features
    # Without clicks, users are first seen when they first buy.
    assert reads_clicks(features.names, features.declarations) == ["tenure_days"]


def test_it_learns_four_predictions_of_every_form_from_all_features() -> None:
    catalogue = load_catalogue("purchases")
    learning = catalogue.learning
    assert learning is not None
    assert learning.segmentation is not None
    assert {type(task.form) for task in learning.tasks} == {Bands, Precision, TopShare}
    recency = {}
    for task in learning.tasks:
        assert set(task.features) == set(catalogue.features.names)
        assert task.rate == 0.3
        names = sorted(task.outcome.names)
        recency[task.name] = recency_of(names, task.features, catalogue.features.declarations)
    assert recency == {
        "buys_within_week": "hours_since_order",
        "falls_silent": "hours_since_order",
        "top_spender": "hours_since_order",
        "uses_coupon": "hours_since_coupon",
    }
