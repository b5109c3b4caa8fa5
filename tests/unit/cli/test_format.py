"""A tag change in one line of English."""

from __future__ import annotations

import pytest
from rich.text import Text

from stream_app.cli.format import change_line, operand, reason
from stream_app.domain.because import Because
from stream_app.domain.changes import Cause, Source, TagChange
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
        (
            Because("spend_30d", 231.5, ">=", 120.0, threshold_of="q90.spend_30d"),
            "spend_30d 231.50 ≥ 120 (q90.spend_30d)",
        ),
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


def test_a_tag_that_went_with_its_user_says_so():
    because = [Because("hours_since_event", 9_800.2, ">=", 9_600.0)]
    told = reason(change(action="removed", kind="expiry", because=because))
    assert told == "forgotten after 400 days without an event"


@pytest.mark.parametrize(
    ("because", "expected"),
    [
        (Because("orders_30d", 9.0, ">", 3.1, 1.23, 3.1, "orders"),
         "orders +1.2 (orders_30d 9 > 3.10 typical)"),
        (Because("hours_since_order", 900.0, ">", 120.0, -0.94, 120.0, "recency"),
         "recency −0.9 (hours_since_order 900 > 120 typical)"),
        (Because("spend_30d", 5.0, "<", 40.0, -0.04, 40.0, "spend_30d"),
         "spend_30d −0.04 (5 < 40 typical)"),
        (Because("average_order", None, "missing", None, -0.5, 40.0, "spending"),
         "spending −0.5 (average_order unknown)"),
        (Because("average_order", 7.0, "has", None, 0.5, None, "average_order"),
         "average_order +0.5 (7 known)"),
    ],
)  # fmt: skip
def test_a_model_says_how_probable_it_is_and_what_each_family_adds(because, expected):
    told = reason(change(kind="model", confidence=0.812, because=[because]))
    assert told == f"p = 0.81, because {expected}"


def test_segments_say_their_name_and_what_is_not_typical():
    because = [
        Because("orders_30d", 9.0, ">", 3.1, None, 3.1, "orders"),
        Because("spend_30d", 40.0, "==", 40.0, None, 40.0, "spending"),
    ]
    moved = change("segments", "updated", "s2", "s4", kind="segment", because=because)
    assert reason(moved) == ("because orders_30d 9 > 3.10 typical, spend_30d = 40, as is typical")
    assert reason(change(kind="segment", because=[])) == "segment big_spender"
    named = Source("segment", "segments", "7", "many orders")
    line = change_line(
        change("segments", "updated", "s2", "s4", source=named, because=because)
    ).plain
    assert '~ segments = s2 "many orders" (was s4)' in line


def test_long_lists_are_cut():
    line = change_line(change("interests", value=list("abcdefg"))).plain
    assert "interests = a, b, c, d, e, …" in line


def test_operands():
    assert [operand(each) for each in (None, "", 0.0, -2.5)] == ["unknown", "''", "0", "-2.50"]
