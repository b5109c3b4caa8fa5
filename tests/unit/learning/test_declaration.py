"""The catalogue's `learning:` section: what is read, and how what is wrong is refused."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.domain.clock import DAY, HOUR
from stream_app.domain.errors import DeclarationError
from stream_app.domain.source import load, loads
from stream_app.features import FeatureSettings, compile_features
from stream_app.features import declare as declare_features
from stream_app.learning.declaration import (
    Bands,
    Holds,
    Largest,
    Learning,
    Precision,
    TopShare,
    Unusual,
    declare,
)

#: All that a shop with the retail catalogue would want.
EXAMPLE = """\
learning:
  max_gap: 2d
  predictions:
    likely_to_buy:
      description: Will order within a week.
      among: events_30d >= 1
      features:
        [tenure_days, sessions_7d, active_days_7d, hours_since_visit, events_30d, recent_activity,
         views_7d, searches_7d, carts_7d, hours_since_cart, hours_since_checkout, cart_rate_7d,
         wishes_7d, promotions_7d, orders_7d, orders_30d, orders_total, recent_order_share,
         shopping_days_7d, hours_since_order, spend_30d, average_order, coupon_rate_30d]
      outcome: orders_7d > 0
      horizon: 7d
      rate: 0.1
      bands: {mid: 0.2, high: 0.5, top: 0.8, margin: 0.05}
      holdout: 0.05
      challenger: [hours_since_order, hours_since_visit, orders_30d, orders_total, events_30d]
    likely_to_churn:
      description: Will not come back within 30 days.
      among: events_30d >= 1
      features:
        [tenure_days, sessions_7d, active_days_7d, hours_since_visit, events_9d, events_30d,
         recent_activity, views_7d, searches_7d, carts_7d, orders_30d, orders_total,
         hours_since_order, spend_30d, recent_spend_share, refunds_per_order, clicks_total]
      outcome: events_30d == 0
      horizon: 30d
      rate: 0.1
      bands: {mid: 0.2, high: 0.5, top: 0.8, margin: 0.05}
      holdout: 0.05
    high_value_next_30d:
      description: Will be among the tenth of all users who spend most in the next 30 days.
      among: events_30d >= 1
      features:
        [tenure_days, active_days_7d, hours_since_visit, events_30d, recent_activity, views_7d,
         carts_7d, orders_7d, orders_30d, orders_total, hours_since_order, spend_30d, spend_total,
         basket_value_30d, average_order, recent_spend_share, largest_order, discount_rate,
         refund_rate]
      outcome: {top: 0.1, of: spend_30d}
      horizon: 30d
      rate: 0.1
      top: 0.1
      holdout: 0.05
    coupon_sensitive:
      description: Will order with a coupon within 30 days.
      among: orders_total >= 1
      features:
        [tenure_days, hours_since_visit, events_30d, promotions_7d, carts_7d, orders_30d,
         orders_total, hours_since_order, spend_30d, average_order, discount_rate,
         average_discount, coupon_orders_30d, coupon_rate_30d, coupon_share]
      outcome: coupon_orders_30d > 0
      horizon: 30d
      rate: 0.1
      precision: 0.8
      holdout: 0.05
    likely_to_return_goods:
      description: Will return something within 30 days.
      among: orders_30d >= 1
      features:
        [tenure_days, hours_since_visit, orders_7d, orders_30d, orders_total, hours_since_order,
         spend_30d, basket_value_30d, largest_order, discount_rate, refunds_30d, refunds_total,
         refund_rate, refunds_per_order, cancel_rate]
      outcome: refunds_30d > 0
      horizon: 30d
      rate: 0.1
      top: 0.05
      holdout: 0.05
  segments:
    among: events_30d >= 1
    features:
      [active_days_7d, events_30d, recent_activity, views_7d, carts_7d, orders_30d, spend_30d,
       average_order, hours_since_order, discount_rate, coupon_rate_30d, night_share,
       mobile_share, weekend_share, refund_rate]
    rate: 0.1
    k: [3, 12]
"""

RETAIL = Path(str(resources.files("stream_app") / "catalogs" / "retail.yaml"))


def of_retail(text: str) -> Learning:
    """The section of `text`, with the features and tags of the retail catalogue."""
    sections = dict(load(RETAIL).items())
    features = declare_features(sections["features"])
    windows = {n: (d.window.length_ms, d.window.pane_ms) for n, d in features.items()}
    return declare(
        dict(loads(text, "shop.yaml").items())["learning"],
        compile_features(features, FeatureSettings()).kinds,
        {name: window for name, window in windows.items() if window[0]},
        sections["tags"].value,
    )


KINDS = {
    **dict.fromkeys(["a", "orders_7d", "orders_24h", "carts_24h", "views_30d", "total"], "number"),
    **dict.fromkeys(["spend_30d", "since", "per"], "number"),
    "city": "text",
    "tops": "list",
}
WINDOWS = {
    "orders_7d": (7 * DAY, DAY),
    "orders_24h": (DAY, HOUR),
    "carts_24h": (DAY, HOUR),
    "views_30d": (30 * DAY, DAY),
    "spend_30d": (30 * DAY, 3 * DAY),
    "total": (1 << 62, 1 << 62),
}
TASK = {
    "features": "[since, a]",
    "outcome": "orders_7d > 0",
    "horizon": "7d",
    "rate": "0.1",
    "top": "0.05",
}


def declared(task: dict[str, str], rest: str = "", name: str = "buys") -> Learning:
    """One task, at line 3, of which each key is a line."""
    lines = "".join(f"    {key}: {value}\n" for key, value in task.items() if value)
    text = f"predictions:\n  {name}:\n{lines}{rest}"
    return declare(loads(text, "shop.yaml"), KINDS, WINDOWS, ("big_spender",))


def refusal(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(DeclarationError) as caught:
        declared(*args, **kwargs)
    return str(caught.value)


def test_the_example_is_read() -> None:
    learning = of_retail(EXAMPLE)
    assert {task.name: (task.horizon_ms // DAY, task.every_days) for task in learning.tasks} == {
        "likely_to_buy": (7, 1),
        "likely_to_churn": (30, 3),
        "high_value_next_30d": (30, 3),
        "coupon_sensitive": (30, 3),
        "likely_to_return_goods": (30, 3),
    }
    buy, churn, value, coupon, returns = learning.tasks
    assert buy.description == "Will order within a week."
    assert buy.among is not None
    assert buy.among.source == "events_30d >= 1"
    assert (buy.rate, buy.holdout, buy.max_flips) == (0.1, 0.05, 0.1)
    assert buy.form == churn.form == Bands((0.2, 0.5, 0.8), 0.05)
    assert (coupon.form, returns.form) == (Precision(0.8), TopShare(0.05))
    assert value.outcome == Largest("spend_30d", 0.1)
    assert len(buy.challenger) == 5
    assert not churn.challenger
    assert learning.segmentation is not None
    assert learning.segmentation.k == (3, 12)
    assert learning.max_gap_ms == 2 * DAY


def test_columns_are_all_features_once_in_the_catalogues_order() -> None:
    extra = "segments: {features: [views_30d, orders_7d], rate: 1, among: \"city == 'x'\"}\n"
    learning = declared({**TASK, "challenger": "[per, a]"}, extra)
    assert learning.columns == ("a", "orders_7d", "views_30d", "since", "per")
    assert learning.tasks[0].features == ("since", "a")


def test_defaults() -> None:
    learning = declared(TASK, "segments: {features: [a], rate: 1}\n")
    (task,) = learning.tasks
    assert (task.description, task.among, task.challenger) == ("", None, ())
    assert (task.holdout, task.max_flips, task.every_days) == (0.05, 0.1, 1)
    assert learning.max_gap_ms == 2 * DAY
    assert learning.segmentation is not None
    assert (learning.segmentation.k, learning.segmentation.among) == ((3, 12), None)


@pytest.mark.parametrize(
    ("outcome", "horizon", "every"),
    [
        ("orders_7d > 0", "7d", 1),
        ("orders_24h > carts_24h", "24h", 1),
        ("views_30d == 0", "30d", 1),
        ("views_30d > 0 and spend_30d > 10", "30d", 3),
        ("{top: 0.2, of: spend_30d}", "30d", 3),
    ],
)
def test_a_task_is_sampled_when_the_panes_of_its_outcome_end(
    outcome: str, horizon: str, every: int
) -> None:
    (task,) = declared({**TASK, "outcome": outcome, "horizon": horizon}).tasks
    assert task.every_days == every
    assert task.horizon_ms % (every * DAY) == 0


def test_tasks_are_told_apart_in_a_dictionary() -> None:
    first, second = of_retail(EXAMPLE).tasks[:2]
    assert {first: 1, second: 2}[first] == 1


def test_values_of_outcomes() -> None:
    columns = {
        "orders_7d": np.array([0.0, 2.0, np.nan]),
        "spend_30d": np.array([7.5, np.nan, -1.0]),
    }
    happens = declared(TASK).tasks[0].outcome
    assert isinstance(happens, Holds)
    assert happens.values(columns).tolist() == [0.0, 1.0, 0.0]
    largest = Largest("spend_30d", 0.1)
    assert largest.values(columns).tolist() == [7.5, 0.0, -1.0]
    assert largest.values(columns).dtype == np.float64


BAD = [
    # what is changed in the task, where the error is, what it says
    ({"features": ""}, "2: predictions.buys", "'features' is missing"),
    ({"rate": ""}, "predictions.buys", "'rate' is missing"),
    ({"ratio": "1"}, "buys.ratio", "'rate' (did you mean that?)"),
    ({"features": "[]"}, "buys.features", "is empty"),
    ({"features": "[a, orders7d]"}, "buys.features[1]", "'orders_7d' (did you mean that?)"),
    ({"features": "[a, city]"}, "buys.features[1]", "'city' is a text"),
    ({"features": "[tops]"}, "buys.features[0]", "'tops' is a list; expected features that are"),
    ({"features": "[a, a]"}, "buys.features[1]", "named twice"),
    ({"challenger": "[b]"}, "buys.challenger[0]", "unknown feature 'b'"),
    ({"among": "orders_8d > 0"}, "buys.among", "'orders_8d' is not known"),
    ({"among": "7"}, "buys.among", "is not a condition"),
    ({"outcome": "orders_7d >"}, "buys.outcome", "cannot be read"),
    ({"outcome": "views_30d > 0"}, "buys.outcome", "views_30d is over 30d, the horizon is 7d"),
    ({"outcome": "orders_7d + spend_30d > 0"}, "buys.outcome", "spend_30d is over 30d"),
    ({"outcome": "orders_24h > 0"}, "buys.outcome", "a window of 7d, such as orders_7d"),
    ({"outcome": "total > 0"}, "buys.outcome", "total is over all time"),
    ({"outcome": "per > 0"}, "buys.outcome", "per has no window"),
    ({"outcome": "since < 9"}, "buys.outcome", "since has no window"),
    ({"outcome": "city == 'x'"}, "buys.outcome", "city has no window"),
    ({"outcome": "{top: 0.1, of: spend_30d}"}, "buys.outcome.of", "spend_30d is over 30d"),
    ({"outcome": "{top: 0.1, of: city}"}, "buys.outcome.of", "'city' is not known"),
    ({"outcome": "{top: 0.6, of: orders_7d}"}, "buys.outcome.top", "up to 0.5"),
    ({"outcome": "{top: 0.1}"}, "buys.outcome", "'of' is missing"),
    ({"horizon": "6d"}, "buys.outcome", "a window of 6d, of which there is none yet"),
    ({"horizon": "36h"}, "buys.horizon", "36h is not whole days"),
    ({"horizon": "7"}, "buys.horizon", "is not a duration"),
    ({"rate": "0"}, "buys.rate", "0 is out of range; expected a number above 0, up to 1"),
    ({"rate": "1.01"}, "buys.rate", "1.01 is out of range"),
    ({"rate": "10%"}, "buys.rate", "is text"),
    ({"holdout": "1"}, "buys.holdout", "from 0 to less than 1"),
    ({"max_flips": "-0.1"}, "buys.max_flips", "out of range"),
    ({"top": ""}, "predictions.buys", "has no form; expected one of bands, precision, top"),
    ({"precision": "0.8"}, "predictions.buys", "several forms: precision, top"),
    ({"top": "2"}, "buys.top", "out of range"),
    ({"top": "", "precision": "1.2"}, "buys.precision", "out of range"),
]


@pytest.mark.parametrize(("change", "place", "says"), BAD)
def test_refuses(change: dict[str, str], place: str, says: str) -> None:
    error = refusal({**TASK, **change})
    assert error.startswith("shop.yaml:")
    assert f"{place}: " in error
    assert says in error


BAD_BANDS = [
    ("{mid: 0.2, high: 0.2, top: 0.8, margin: 0.05}", "do not ascend"),
    ("{mid: 0.2, high: 0.9, top: 0.8, margin: 0.05}", "do not ascend"),
    ("{mid: 0.2, high: 0.5, top: 1, margin: 0.05}", "do not ascend"),
    ("{mid: 0, high: 0.5, top: 0.8, margin: 0.05}", "bands.mid: 0 is out of range"),
    ("{mid: 0.2, high: 0.5, top: 0.8}", "'margin' is missing"),
    ("{mid: 0.2, high: 0.5, margin: 0.1}", "'top' is missing"),
    ("{mid: 0.2, high: 0.5, top: 0.8, margin: 0.2}", "bands.margin: 0.2 spans a whole band"),
    ("{mid: 0.2, high: 0.5, top: 0.8, margin: -0.1}", "bands.margin: -0.1 is out of range"),
    ("{mid: 0.2, high: 0.5, top: 0.8, margin: 0.1, low: 0.1}", "unknown key 'low'"),
]


@pytest.mark.parametrize(("bands", "says"), BAD_BANDS)
def test_refuses_bands(bands: str, says: str) -> None:
    assert says in refusal({**TASK, "top": "", "bands": bands})


@given(st.lists(st.integers(1, 99), min_size=3, max_size=3), st.integers(0, 99))
def test_bands_are_taken_when_they_ascend_and_the_margin_is_less_than_a_band(
    percents: list[int], margin: int
) -> None:
    mid, high, top = percents
    bands = f"{{mid: 0.{mid:02}, high: 0.{high:02}, top: 0.{top:02}, margin: 0.{margin:02}}}"
    task = {**TASK, "top": "", "bands": bands}
    narrowest = min(mid, high - mid, top - high)
    # At equality the rounding of the difference decides.
    if margin < narrowest:
        edges = (mid / 100, high / 100, top / 100)
        assert declared(task).tasks[0].form == Bands(edges, margin / 100)
    elif margin > narrowest or narrowest <= 0:
        assert "bands" in refusal(task)


@pytest.mark.parametrize("name", ["Buys", "9lives", "will-buy", "x" * 64])
def test_refuses_names_that_no_tag_can_have(name: str) -> None:
    assert "is not a name for a tag" in refusal(TASK, name=name)


def test_refuses_the_name_of_a_tag_that_rules_decide() -> None:
    expected = "shop.yaml:2: predictions.big_spender: 'big_spender' is the name of a tag"
    assert refusal(TASK, name="big_spender").startswith(expected)


BAD_SEGMENTS = [
    ("{features: [a]}", "segments: 'rate' is missing"),
    ("{features: [b], rate: 1}", "segments.features[0]: unknown feature 'b'"),
    ("{features: [a], rate: 2}", "segments.rate: 2 is out of range"),
    ("{features: [a], rate: 1, k: [3]}", "segments.k: is not a range"),
    ("{features: [a], rate: 1, k: [4, 3]}", "segments.k: is not a range"),
    ("{features: [a], rate: 1, k: [1, 3]}", "segments.k[0]: 1 is out of range"),
    ("{features: [a], rate: 1, among: b > 1}", "segments.among: 'b' is not known"),
    ("{features: [a], rate: 1, share_of: city}", "segments.share_of: 'city' is a text"),
    ("{features: [a], rate: 1, share_of: b}", "segments.share_of: unknown feature 'b'"),
    ("{features: [a], rate: 1, horizon: 7d}", "segments.horizon: unknown key"),
]


@pytest.mark.parametrize(("segments", "says"), BAD_SEGMENTS)
def test_refuses_segments(segments: str, says: str) -> None:
    assert says in refusal(TASK, f"segments: {segments}\n")


def test_what_is_said_of_features_is_read() -> None:
    rest = """families: {orders: [orders_7d, orders_24h], spending: [spend_30d]}
words: {spend_30d: [little spent, much  spent]}
segments: {features: [a], rate: 1, share_of: spend_30d}
unusual: {features: [views_30d, per], top: 0.005, description: Looks like no other.}
"""
    learning = declared(TASK, rest)
    assert learning.families == {
        "orders_7d": "orders",
        "orders_24h": "orders",
        "spend_30d": "spending",
    }
    assert learning.words == {"spend_30d": ("little spent", "much spent")}
    assert learning.unusual == Unusual(("views_30d", "per"), 0.005, "Looks like no other.")
    assert learning.segmentation is not None
    assert learning.segmentation.share_of == "spend_30d"
    # Neither families nor words make a feature one that is learned.
    assert learning.columns == ("a", "views_30d", "spend_30d", "since", "per")


def test_features_whose_quantiles_rules_use_are_columns() -> None:
    node = loads("segments: {features: [a], rate: 1}", "shop.yaml")
    learning = declare(node, KINDS, WINDOWS, (), ("q90.spend_30d", "q50.a"))
    assert learning.columns == ("a", "spend_30d")
    assert learning.quantiles == ("q50.a", "q90.spend_30d")


def test_quantiles_need_users_who_are_drawn() -> None:
    node = loads("max_gap: 2d", "shop.yaml")
    with pytest.raises(DeclarationError, match=r"rules use q90\.spend_30d.*`segments`"):
        declare(node, KINDS, WINDOWS, (), ("q90.spend_30d",))


BAD_SAYINGS = [
    ("families: {orders: [order_7d]}", "families.orders[0]: unknown feature 'order_7d'"),
    ("families: {x: [a], y: [a]}", "families.y: 'a' belongs to 'x' already"),
    ("families: {x: []}", "families.x: is empty"),
    ("families: {X: [a]}", "'X' is not a name for a family"),
    ("families: [a]", "families: is a list; expected a mapping"),
    ("words: {b: [x, y]}", "words.b: 'b' is no feature that is a number"),
    ("words: {city: [x, y]}", "words.city: 'city' is no feature that is a number"),
    ("words: {a: [x]}", "words.a: is not a pair of words"),
    ("words: {a: [x, x]}", "words.a: is not a pair of words"),
    ("words: {a: [x, 7]}", "words.a[1]: is a number"),
    (f"words: {{a: [x, {'y' * 41}]}}", "words.a: a word is too long; expected at most 40"),
    ("unusual: {features: [a], top: 0.01}", "unusual: has no users to learn from"),
    ("unusual: {features: [a]}", "unusual: 'top' is missing"),
    ("unusual: {features: [], top: 0.01}", "unusual.features: is empty"),
    ("unusual: {features: [a], top: 0.3}", "unusual.top: 0.3 is out of range"),
    ("unusual: {features: [a], top: 0.1, rate: 1}", "unusual.rate: unknown key"),
]


@pytest.mark.parametrize(("rest", "says"), BAD_SAYINGS)
def test_refuses_what_is_said_of_features(rest: str, says: str) -> None:
    error = refusal(TASK, rest + "\n")
    assert error.startswith("shop.yaml:8: ")
    assert says in error


@pytest.mark.parametrize("name", ["segments", "population", "unusual_behaviour"])
def test_refuses_a_prediction_with_the_name_of_another_model(name: str) -> None:
    assert f"predictions.{name}: '{name}' is the name of another model" in refusal(TASK, name=name)


def test_refuses_a_rule_that_decides_the_tag_of_the_unusual() -> None:
    text = "segments: {features: [a], rate: 1}\nunusual: {features: [a], top: 0.01}"
    with pytest.raises(DeclarationError, match="a tag 'unusual_behaviour' is declared already"):
        declare(loads(text), KINDS, WINDOWS, ("unusual_behaviour",))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "says not what to learn; expected predictions, segments or both"),
        ("predictions: {}", "says not what to learn"),
        ("max_gap: 2d", "says not what to learn"),
        ("{max_gap: 2, segments: {features: [a], rate: 1}}", "max_gap: a number (2) is not a"),
        ("prediction: {}", "'predictions' (did you mean that?)"),
    ],
)
def test_refuses_a_section_that_says_nothing(text: str, says: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        declare(loads(text, "shop.yaml"), KINDS, WINDOWS)
    assert says in str(caught.value)


def test_segments_alone_are_enough() -> None:
    learning = declare(loads("segments: {features: [a], rate: 0.5}"), KINDS, WINDOWS)
    assert learning.tasks == ()
    assert learning.columns == ("a",)
