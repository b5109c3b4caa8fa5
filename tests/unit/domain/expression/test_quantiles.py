"""Quantiles of all users in conditions: one number for all rows, or missing."""

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support import rule_cases
from support.reference_rules import names, quantiles, truth
from support.rule_cases import KINDS, Row

from stream_app.domain.expression import (
    Answer,
    Circuit,
    Expression,
    ExpressionError,
    Frame,
    parse,
)
from stream_app.domain.expression.parse_operand import QUANTILES
from stream_app.learning import population

EVERYONE = {"q50.a": 1.0, "q90.a": 3.0}
ROWS: list[Row] = [
    {"a": 1.0, "b": 0.0, "hours": 5.0, "device": "mobile", "usual": "tv"},
    {"a": 3.0, "b": 2.0, "hours": 9.0, "device": "desktop", "usual": "tv"},
    {"a": None, "b": 1.0, "hours": None, "device": None, "usual": "tv"},
]


def read(source: str) -> Expression:
    return parse(source, KINDS, quantiles=True)


def evaluated(source: str, rows: list[Row], everyone: dict[str, float]) -> list[bool | None]:
    result = read(source).evaluate(Frame(rule_cases.columns(rows), everyone))
    assert result.t.shape == result.f.shape == (len(rows),)
    assert not (result.t & result.f).any()
    return [True if t else False if f else None for t, f in zip(*result, strict=True)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a >= q90.a", "-+?"),
        ("q90.a <= a", "-+?"),
        ("not a < q90.a", "-+?"),
        ("q50.a <= a < q90.a", "+-?"),
        ("a > 2 * q50.a", "-+?"),
        ("a != q50.a", "-+?"),
        ("hours >= q90.hours", "???"),
        ("hours != q90.hours", "???"),
        ("hours >= coalesce(q90.hours, 9)", "-+?"),
        ("a >= coalesce(q90.a, 0)", "-+?"),
        ("has(q90.hours) or b >= 2", "-+-"),
        ("not has(q90.hours) and b >= 2", "-+-"),
        ("has(q90.a) and b >= 2", "-+-"),
        ("q90.a > 2 and b >= 2", "-+-"),
        ("2 < q90.a or b >= 2", "+++"),
        ("q90.hours > 2 and b >= 2", "-?-"),
        ("q90.a in (3, 4) and b >= 2", "-+-"),
        ("q90.a not in (3, 4) or b >= 2", "-+-"),
        ("max(q90.a, b) == 3", "+++"),
        ("q90.a / (q50.a - 1) > 0 or b >= 2", "?+?"),
    ],
)
def test_cases(source: str, expected: str) -> None:
    found = evaluated(source, ROWS, EVERYONE)
    assert "".join({True: "+", False: "-", None: "?"}[one] for one in found) == expected


@given(rule_cases.conditions(quantiles=True), rule_cases.rows(), rule_cases.everyone())
def test_all_rows_at_once_agree_with_a_row_at_a_time(
    source: str, rows: list[Row], everyone: dict[str, float]
) -> None:
    assert evaluated(source, rows, everyone) == [truth(source, row | everyone) for row in rows]


@given(
    st.lists(rule_cases.conditions(quantiles=True), min_size=1, max_size=6),
    rule_cases.rows(),
    rule_cases.everyone(),
)
def test_conditions_answered_together_are_what_each_is_by_itself(
    sources: list[str], rows: list[Row], everyone: dict[str, float]
) -> None:
    wanted = [Answer(read(source).root, side) for side in (True, False) for source in sources]
    circuit = Circuit(wanted)
    table = circuit.run(Frame(rule_cases.columns(rows), everyone), len(rows))
    assert table[circuit.places(wanted)].tolist() == [
        [truth(source, row | everyone) is side for row in rows]
        for side in (True, False)
        for source in sources
    ]


@given(rule_cases.conditions(quantiles=True), rule_cases.rows(), st.data())
def test_a_condition_is_the_same_with_the_numbers_written_in(
    source: str, rows: list[Row], data: st.DataObject
) -> None:
    used = quantiles(source)
    values = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0])
    everyone = {name: data.draw(values) for name in sorted(used)}
    written = re.sub(r"q\d+\.\w+", lambda found: repr(everyone[found[0]]), source)
    try:
        plain = parse(written, KINDS)
    except ExpressionError:
        # Two constants cannot be compared, nor one divided by zero.
        assume(False)
    env = rule_cases.columns(rows)
    result, same = read(source).evaluate(Frame(env, everyone)), plain.evaluate(env)
    assert (result.t.tolist(), result.f.tolist()) == (same.t.tolist(), same.f.tolist())


@given(rule_cases.conditions(quantiles=True))
def test_what_a_condition_names(source: str) -> None:
    expression = read(source)
    assert (expression.names, expression.quantiles) == (names(source), quantiles(source))
    direct = {name for name, _ in (*expression.thresholds, *expression.moving)}
    assert direct | expression.opaque <= expression.names


@given(rule_cases.conditions(quantiles=True), rule_cases.rows(max_size=3), rule_cases.everyone())
def test_every_row_has_reasons(source: str, rows: list[Row], everyone: dict[str, float]) -> None:
    frame = Frame(rule_cases.columns(rows), everyone)
    for i, row in enumerate(rows):
        found = read(source).explain(frame, i, truth(source, row | everyone) is True)
        assert found
        for one in found:
            assert (one.value is None) == (one.op == "missing")
            assert one.threshold is None or not isinstance(one.threshold, np.ndarray)


@pytest.mark.parametrize(
    ("source", "row", "held", "expected"),
    [
        ("a >= q90.a", 1, True, ["a 3.0 >= 3.0 q90.a"]),
        ("q90.a <= a", 1, True, ["a 3.0 >= 3.0 q90.a"]),
        ("a >= q90.a", 0, False, ["a 1.0 < 3.0 q90.a"]),
        ("a > 2 * q50.a", 1, True, ["a 3.0 > 2.0 2 * q50.a"]),
        ("hours > q90.hours", 0, False, ["q90.hours None missing None"]),
        ("a > q90.a", 2, False, ["a None missing None"]),
        ("a > coalesce(q90.hours, 2)", 1, True, ["a 3.0 > 2.0 coalesce(q90.hours, 2)"]),
        ("has(q90.a) and b", 1, True, ["q90.a 3.0 has None", "b 2.0 != 0.0"]),
        ("q90.a > 2 and b", 1, True, ["q90.a 3.0 > 2.0", "b 2.0 != 0.0"]),
    ],
)
def test_reasons_show_the_number(source: str, row: int, held: bool, expected: list[str]) -> None:
    found = read(source).explain(Frame(rule_cases.columns(ROWS), EVERYONE), row, held)
    shown = [f"{c.feature} {c.value} {c.op} {c.threshold} {c.threshold_of or ''}" for c in found]
    assert [one.rstrip() for one in shown] == expected


@pytest.mark.parametrize(
    ("source", "thresholds", "moving", "opaque"),
    [
        ("hours >= q90.hours", [], ["hours q90.hours"], set()),
        ("q90.hours < hours or not q90.hours < hours", [], ["hours q90.hours"], set()),
        ("coalesce(hours, 9) >= 2 * q90.a", [], ["hours 2 * q90.a"], set()),
        ("hours > coalesce(q90.hours, 48)", [], ["hours coalesce(q90.hours, 48)"], set()),
        ("hours >= 48 and a > q90.a", [("hours", 48)], ["a q90.a"], set()),
        ("q90.hours > 48 and hours > 3", [("hours", 3)], [], set()),
        ("has(q90.hours) and has(hours)", [], [], set()),
        ("hours / 24 > q90.hours and a > q90.a + b", [], [], {"hours", "a", "b"}),
        ("hours / q90.hours > 2 or q90.hours - hours > 3", [], [], {"hours"}),
    ],
)
def test_thresholds_that_quantiles_make_and_opaque_names(
    source: str, thresholds: list[tuple[str, float]], moving: list[str], opaque: set[str]
) -> None:
    expression = read(source)
    assert (list(expression.thresholds), expression.opaque) == (thresholds, opaque)
    assert [f"{name} {number.source}" for name, number in expression.moving] == moving


LISTED = "expected one of q1, q5, q10, q25, q50, q75, q90, q95, q99"


@pytest.mark.parametrize(
    ("source", "message", "column"),
    [
        ("a > q80.a", f"q80 is not a quantile that is known; {LISTED}", 5),
        ("a > q090.a", f"q090 is not a quantile that is known; {LISTED}", 5),
        ("a > Q90.a", f"Q90 is not a quantile that is known; {LISTED}", 5),
        ("a > p90.a", f"p90 is not a quantile that is known; {LISTED}", 5),
        ("a > q90", "q90 needs a feature, as in q90.spend_30d", 5),
        ("a > q91", "'q91' is not known; expected one of a, b, device", 5),
        ("a > q90.hous", "'hous' in q90.hous is not known; expected 'hours'", 5),
        ("a > q90.device", "q90.device: device is not a number and has no quantiles", 5),
        ("a > q90.interests", "q90.interests: interests is not a number and has no quantiles", 5),
        ("a > a.q90", "a.q90 is not in the language; a quantile is written q90.a", 5),
        ("a > x.q90", "x.q90 is not in the language; see docs/rules.md", 5),
        ("a > q90.a.b", "q90.a.b is not in the language", 5),
        ("a > q90.a.__class__", "q90.a.__class__ is not in the language", 5),
        ("a > q90.__class__", "'__class__' in q90.__class__ is not known", 5),
        ("a > q90()", "q90() is not in the language", 5),
        ("a > q90(a)", "q90() is not in the language", 5),
        ("a > q90.a()", "q90.a() is not in the language", 5),
        ("a > q90['a']", "q90['a'] is not in the language", 5),
        ("a > 'q90'.a", "'q90'.a is not in the language", 5),
        ("a > 90.0.a", "90.0.a is not in the language", 5),
        ("a > q99.9.a", "cannot be read at '.9.a'", 8),
        ("a > q90.", "cannot be read at the end", 9),
        ("device == q90.a", "device is text and q90.a is a number", 1),
        ("a in (q90.a, 3)", "a can be in a list of constant numbers only", 7),
        ("coalesce(a, q90.a) > 1", "coalesce() needs a constant number second", 13),
        ("q90.a > 3", "compares no feature of the user", 1),
        ("has(q90.a)", "compares no feature of the user", 1),
        ("q90.a", "q90.a is not a condition; compare it", 1),
    ],
)  # fmt: skip
def test_what_is_refused_and_where(source: str, message: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(source, {**KINDS, "interests": "list"}, quantiles=True)
    assert caught.value.message.startswith(message)
    assert caught.value.column == column


@pytest.mark.parametrize("source", ["a > q90.a", "a > q80.a", "has(q50.nothing) and a > 1"])
def test_outside_rules_there_are_none(source: str) -> None:
    with pytest.raises(ExpressionError, match="quantiles of all users are for rules of tags only"):
        parse(source, KINDS)


def test_a_feature_may_have_the_name_of_a_quantile() -> None:
    kinds = dict.fromkeys(("q90", "q80"), "number")
    expression = parse("q90 > q90.q90 and q80 > q90.q80", kinds, quantiles=True)
    assert expression.names == {"q90", "q80"}
    frame = Frame({"q90": np.array([2.0]), "q80": np.array([2.0])}, {"q90.q90": 1, "q90.q80": 1})
    assert expression.true(frame).tolist() == [True]


def test_letters_that_python_takes_for_the_same_are_the_same() -> None:
    assert read("a > \uff51\uff19\uff10.\uff41").quantiles == {"q90.a"}


@given(st.text("abq05.9()>=<, \n\"'[]éand or not has", max_size=30))
def test_any_text_is_an_expression_or_an_expression_error(source: str) -> None:
    try:
        expression = read(source)
    except ExpressionError:
        return
    assert expression.names
    assert expression.names <= set(KINDS)


def test_quantiles_that_rules_can_name_are_those_that_models_tell() -> None:
    assert [f"q{round(100 * share)}" for share in population.QUANTILES] == list(QUANTILES)
