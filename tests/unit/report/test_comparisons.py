"""What scores are compared with knows nothing that had not closed by then."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from stream_app.engine import load_catalogue
from stream_app.learning.measures import auc
from stream_app.learning.transform import Design
from stream_app.report.comparisons import best_single, reads_clicks, recency_of, refit_scores
from stream_app.report.journal import Examples

DAY = 86_400_000
COLUMNS = ("visits", "noise")
HORIZON = 2


def generated(days: int = 20, each: int = 40, seed: int = 0) -> tuple[Examples, np.ndarray]:
    """Examples that close two days after their sample, in that order, and vectors in another."""
    random = np.random.default_rng(seed)
    n = days * each
    vectors = np.exp(random.normal(size=(n, 2)))
    vectors[random.random(n) < 0.1, 1] = np.nan
    positive = random.random(n) < 1 / (1 + np.exp(1 - 2 * np.log(vectors[:, 0])))
    at = np.repeat(np.arange(1, days + 1), each) * DAY
    row = random.permutation(n)
    examples = Examples(
        row=row.astype(np.int64),
        at=at,
        closed=at + HORIZON * DAY,
        positive=positive[row],
        score=np.full(n, np.nan),
    )
    return examples, vectors


def test_a_refit_scores_only_what_is_sampled_after_all_that_it_learned_had_closed() -> None:
    examples, vectors = generated()
    found = refit_scores(examples, vectors, COLUMNS)
    # The first cohort closes on day 3: fits are on days 3, 10 and 17.
    design = Design(COLUMNS).matrix(vectors[examples.row])
    for fit, until in ((3, 10), (10, 17), (17, 99)):
        known = examples.closed <= fit * DAY
        scaler = StandardScaler().fit(design[known])
        model = LogisticRegression(solver="newton-cholesky", max_iter=300)
        model.fit(scaler.transform(design[known]), examples.positive[known])
        scored = (examples.at > fit * DAY) & (examples.at <= until * DAY)
        expected = model.predict_proba(scaler.transform(design[scored]))[:, 1]
        assert found[scored] == pytest.approx(expected, abs=1e-6)
    assert np.isnan(found[examples.at <= 3 * DAY]).all()


def test_outcomes_that_are_not_known_yet_change_no_score() -> None:
    examples, vectors = generated(seed=1)
    late = examples.closed > 12 * DAY
    turned = Examples(
        examples.row, examples.at, examples.closed, examples.positive ^ late, examples.score
    )
    before, after = (refit_scores(one, vectors, COLUMNS) for one in (examples, turned))
    early = examples.at <= 17 * DAY
    assert np.array_equal(before[early], after[early], equal_nan=True)
    assert not np.array_equal(before[~early], after[~early])


@pytest.mark.parametrize("sign", [1, -1])
def test_the_best_single_feature_is_found_with_its_sign_and_its_missing_values(sign: int) -> None:
    random = np.random.default_rng(2)
    vectors = random.random((400, 2))
    positive = sign * (vectors[:, 1] - 0.5) > 0
    # Who has no value always came true: best where missing counts as likeliest.
    vectors[:40, 1] = np.nan
    positive[:40] = True
    at = np.repeat([1, 2], 200) * DAY
    examples = Examples(np.arange(400), at, at + DAY, positive, np.zeros(400))
    best = best_single(examples, vectors, COLUMNS, [DAY, 2 * DAY])
    assert best is not None
    assert (best.feature, best.sign) == ("noise", sign)
    assert auc(best.scores(vectors[:, 1]), positive) == pytest.approx(1.0)


def test_without_cohorts_or_outcomes_there_is_no_score() -> None:
    none = np.empty(0, dtype=np.int64)
    examples = Examples(none, none, none, none.astype(bool), none.astype(float))
    vectors = np.empty((0, 2))
    assert len(refit_scores(examples, vectors, COLUMNS)) == 0
    assert best_single(examples, vectors, COLUMNS, []) is not None


def test_recency_and_clicks_are_told_from_the_catalogue(tmp_path) -> None:
    path = tmp_path / "catalogue.yaml"
    path.write_text(
        """
features:
  tenure_days: {tenure: days}
  orders_7d: {count: purchase, window: 7d}
  coupons_7d: {count: purchase, where: has(coupon), window: 7d}
  carts_7d: {count: add_to_cart, window: 7d}
  orders_per_cart: {ratio: [orders_7d, carts_7d]}
  hours_since_visit: {hours_since: clicks}
  hours_since_order: {hours_since: purchase}
  hours_since_coupon: {hours_since: purchase, where: has(coupon)}
tags: {}
"""
    )
    declared = load_catalogue(path).features.declarations
    names = list(declared)
    assert recency_of(["orders_7d"], names, declared) == "hours_since_order"
    assert recency_of(["coupons_7d"], names, declared) == "hours_since_coupon"
    assert recency_of(["coupons_7d"], names[:-1], declared) == "hours_since_order"
    assert recency_of(["orders_7d"], ["hours_since_visit"], declared) == "hours_since_visit"
    assert recency_of(["orders_7d"], ["orders_7d"], declared) is None
    assert reads_clicks(names, declared) == [
        "tenure_days",
        "carts_7d",
        "orders_per_cart",
        "hours_since_visit",
    ]
