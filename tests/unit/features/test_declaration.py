"""Reading the catalogue's features: what is accepted, and what the errors say."""

from __future__ import annotations

import pytest
from support.catalogue import EVERY_KIND

from stream_app.domain.errors import DeclarationError
from stream_app.domain.source import loads
from stream_app.features import FeatureSettings, compile_features, declare

BAD = [
    # declaration, field, what the message says
    ("{}", "f", "says not what to measure"),
    ("{cuont: purchase, window: 1d}", "f", "did you mean"),
    ("{count: purchase}", "f", "'window' is missing"),
    ("{count: purchase, window: 1d, unit: days}", "f.unit", "unknown key 'unit'"),
    ("{count: purchase, sum: purchase.value, window: 1d}", "f.sum", "unknown key 'sum'"),
    ("{count: purchases_, window: 1d}", "f.count", "'purchases'"),
    ("{count: [], window: 1d}", "f.count", "is empty"),
    ("{count: purchase, window: 49h}", "f.window", "fits no pane width"),
    ("{count: purchase, window: 32d}", "f.window", "fits no pane width"),
    ("{count: purchase, window: 93d}", "f.window", "fits no pane width"),
    ("{count: purchase, window: 10d/3d}", "f.window", "fits no pane width"),
    ("{active_days: any, window: 30d/3d}", "f.window", "counted by the day"),
    ("{count: purchase, window: 0d}", "f.window", "is not a window"),
    ("{count: purchase, window: 7}", "f.window", "is not a window"),
    ("{count: any, window: 1d, where: price >}", "f.where", "condition"),
    ("{count: any, window: 1d, where: prise > 3}", "f.where", "price"),
    ("{sum: purchase, window: 1d}", "f.sum", "names no field"),
    ("{sum: purchase.channel, window: 1d}", "f.sum", "unknown field 'channel'"),
    ("{sum: search.value, window: 1d}", "f.sum", "no such event carries 'value'"),
    ("{distinct: purchase.device, window: 1d}", "f.distinct", "no such event carries 'device'"),
    ("{active_days: any, window: 24h}", "f.window", "counted by the day"),
    ("{active_days: any, window: 90d}", "f.window", "counted by the day"),
    ("{sessions: any, window: 1d}", "f.sessions", "mixes clicks and purchases"),
    ("{cancellations: refund, window: 1d}", "f.cancellations", "joins a refund"),
    ("{cancellations: purchases}", "f", "'window' is missing"),
    ("{cancellations: purchases, window: 1d, where: night}", "f.where", "unknown key"),
    ("{share: any, window: 1d}", "f", "'where' is missing"),
    ("{tenure: weeks}", "f.tenure", "days, hours"),
    ("{top: any, of: item_category, half_life: 1d}", "f.top", "mixes clicks and purchases"),
    ("{top: search, of: categorie, half_life: 1d}", "f.of", "item_category"),
    ("{top: search, of: coupon, half_life: 1d}", "f.of", "no such event carries"),
    ("{top: search, of: city, half_life: 1w}", "f.half_life", "not a duration"),
    ("{top: search, of: city, half_life: 1d, weights: {login: 2}}", "f.weights.login", "selected"),
    ("{top: search, of: city, half_life: 1d, weights: {search: 0}}", "f.weights.search", "range"),
    ("{last: price}", "f.last", "unknown field 'price'"),
    ("{last: device, from: purchase}", "f.from", "no such event carries"),
    ("{usual: channel, from: any}", "f.from", "mixes clicks and purchases"),
    ("{ratio: [f, f]}", "f", "ratio of itself"),
    ("{ratio: [a]}", "f.ratio", "names 1 features"),
    ("{ratio: [a, g]}", "f", "unknown feature 'g'"),
    ("{ratio: [a, text]}", "f", "'text' is not a number"),
]


@pytest.mark.parametrize(("declaration", "field", "says"), BAD)
def test_refuses(declaration: str, field: str, says: str) -> None:
    text = f"a: {{count: any, window: 1d}}\ntext: {{last: city}}\nf: {declaration}\n"
    with pytest.raises(DeclarationError) as caught:
        declare(loads(text, "shop.yaml"))
    assert str(caught.value).startswith(f"shop.yaml:3: {field}: ")
    assert says in str(caught.value)


def test_refuses_ratios_in_a_circle_and_names_that_rules_cannot_use() -> None:
    with pytest.raises(DeclarationError, match="ratio of itself"):
        declare(loads("a: {ratio: [b, b]}\nb: {ratio: [c, c]}\nc: {ratio: [a, a]}"))
    with pytest.raises(DeclarationError, match="expression"):
        declare(loads("a-b: {count: any, window: 1d}"))


def test_declared_order_kinds_and_columns() -> None:
    features = compile_features(declare(loads(EVERY_KIND)), FeatureSettings())
    assert features.names[:2] == ("orders_30d", "events_7d")
    assert features.kinds["device"] == "text"
    assert features.kinds["interests"] == "list"
    assert features.kinds["tenure_days"] == "number"
    assert features.columns == {
        "value", "discount", "price", "item_id", "item_category", "device", "channel",
        "transaction_id",
    }  # fmt: skip
    assert features.passing == {
        "hours_since_cart", "hours_since_any", "hours_since_shoes",
        "tenure_days", "tenure_hours", "orders_a_day",
    }  # fmt: skip


def test_words_in_a_condition_name_the_columns_behind_them() -> None:
    text = "f: {count: any, window: 1d, where: discounted and mobile and night and quantity > 1}"
    columns = compile_features(declare(loads(text)), FeatureSettings()).columns
    assert columns == {"coupon", "discount", "device", "quantity"}


def test_usual_reads_the_topic_that_carries_the_field() -> None:
    declared = declare(loads("a: {usual: channel}\nb: {usual: coupon}\nc: {last: channel}"))
    assert str(declared["a"].source) == "clicks.channel"
    assert str(declared["b"].source) == "purchases.coupon"
    assert str(declared["c"].source) == "any.channel"
