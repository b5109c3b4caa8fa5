"""A tag change in one line of English."""

from __future__ import annotations

import pytest
from rich.text import Text

from stream_app.cli.format import change_line, operand, reason
from stream_app.domain.changes import Because, Cause, Source, TagChange
from stream_app.domain.clock import from_rfc3339

AT = from_rfc3339("2017-10-03T18:22:10.500Z")
CAUSE = Cause("purchases", 1, 5, "purchase-42")
SPENT = [Because("spend_30d", 231.5, ">", 200.0)]


def change(tag="big_spender", action="added", value=True, previous=None, **fields):
    kind = fields.pop("kind", "rule")
    given = {
        "change_id": "h1:0:3", "user_id": "h1", "tag": tag, "cls": "spending", "action": action,
        "value": value, "previous": previous, "confidence": 1.0, "version": 3, "occurred_at": AT,
        "emitted_at": AT + 20, "valid_until": None, "source": Source(kind, tag, "r1"),
        "because": SPENT, "cause": CAUSE,
    }  # fmt: skip
    return TagChange(**(given | fields))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            change(),
            "2017-10-03 18:22:10  h1            + big_spender                 "
            "spend_30d 231.50 > 200  after purchase-42",
        ),
        (
            change("spend_level", "updated", "high", "mid", because=[]),
            "2017-10-03 18:22:10  h1            ~ spend_level = high (was mid)  "
            "its rule changed  after purchase-42",
        ),
        (
            change("level", "removed", None, "high", cause=None),
            "2017-10-03 18:22:10  h1            − level (was high)            "
            "spend_30d 231.50 > 200  as time passed",
        ),
        (
            change("fan", "added", ["beer", "fruit"], valid_until=AT + 86_400_000),
            "2017-10-03 18:22:10  h1            + fan = beer, fruit           "
            "spend_30d 231.50 > 200  after purchase-42, until 2017-10-04 18:22:10",
        ),
    ],
)
def test_a_line_says_when_who_what_and_why(given, expected):
    assert change_line(given).plain == expected


def test_a_long_name_does_not_touch_what_follows():
    line = change_line(change("a_very_long_name_of_a_tag_indeed", user_id="u" * 30)).plain
    assert "u" * 30 + "  + a_very_long_name_of_a_tag_indeed  spend_30d" in line


@pytest.mark.parametrize(("action", "colour"), [("added", "green"), ("removed", "red")])
def test_colour_shows_what_happened(action, colour):
    line = change_line(change(action=action))
    assert isinstance(line, Text)
    assert any(colour in str(span.style) for span in line.spans)


@pytest.mark.parametrize(
    ("because", "expected"),
    [
        (Because("orders_30d", 3.0, ">=", 2.0), "orders_30d 3 ≥ 2"),
        (Because("orders_24h", 1, "!=", 0), "orders_24h 1 ≠ 0"),
        (Because("spend_30d", 1234.5, "<=", 10_000), "spend_30d 1,234.50 ≤ 10,000"),
        (Because("spend_30d", 199.9999, "<", 200.0), "spend_30d 199.9999 < 200"),
        (Because("share", 0.2978723404, "<", 0.3), "share 0.298 < 0.3"),
        (Because("orders_24h", 0.0, "==", 0), "orders_24h = 0"),
        (Because("share", 0.004, "<", 0.25), "share 0.004 < 0.25"),
        (Because("hours_since_cart", None, "missing", None), "hours_since_cart unknown"),
        (Because("device", "mobile", "==", "mobile"), "device = mobile"),
        (Because("device", "tv", "not in", ["mobile", "tablet"]),
         "device tv not in mobile or tablet"),
        (Because("device", "tv", "has", None), "device tv known"),
        (Because("interests[beer]", 0.31, ">=", 0.2), "interests[beer] 0.31 ≥ 0.20"),
    ],
)  # fmt: skip
def test_reasons_are_comparisons(because, expected):
    assert reason(change(because=[because])) == expected


def test_all_reasons_are_told_up_to_four():
    because = [Because(f"spend_{days}d", 231.5, ">", 200.0) for days in range(6)]
    told = ", ".join(f"spend_{days}d 231.50 > 200" for days in range(4))
    assert reason(change(because=because)) == f"{told}, and 2 more"


def test_what_is_said_about_one_feature_is_said_once():
    because = [
        Because("hours_since_cart", 1.234, ">=", 1.0),
        Because("orders_24h", 0.0, "==", 0.0),
        Because("hours_since_cart", 1.234, "<", 24.0),
    ]
    assert reason(change(because=because)) == "hours_since_cart 1.23 ≥ 1 and < 24, orders_24h = 0"


@pytest.mark.parametrize(
    ("hours", "expected"), [(1, "1 hour"), (24, "24 hours"), (168, "7 days"), (1.5, "1.50 hours")]
)
def test_an_expiry_says_how_long_the_tag_was_set(hours, expected):
    because = [Because("hours_since_set", float(hours), ">=", float(hours))]
    told = reason(change(action="removed", kind="expiry", because=because))
    assert told == f"expired {expected} after it was set"


def test_a_model_says_how_sure_it_is():
    assert reason(change(kind="model", confidence=0.834)) == (
        "model big_spender is 83% sure: spend_30d 231.50 > 200"
    )
    assert reason(change(kind="segment", because=[])) == "segment big_spender"


def test_long_lists_are_cut():
    line = change_line(change("interests", value=list("abcdefg"))).plain
    assert "interests = a, b, c, d, e, …" in line


def test_operands():
    assert [operand(each) for each in (None, "", 0.0, -2.5)] == ["unknown", "''", "0", "-2.50"]
