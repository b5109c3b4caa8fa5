"""The comparisons that decided a row."""

import pytest
from hypothesis import given
from support import rule_cases
from support.reference_rules import truth
from support.rule_cases import Row

from stream_app.domain.because import Because
from stream_app.domain.expression import parse

ROW: Row = {"a": 5.0, "b": 0.0, "hours": None, "device": "mobile", "usual": None}


def explain(source: str, held: bool) -> list[str]:
    found = parse(source, rule_cases.KINDS).explain(rule_cases.columns([ROW]), 0, held)
    return [f"{c.feature} {c.value} {c.op} {c.threshold}" for c in found]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a > 1", ["a 5.0 > 1.0"]),
        ("1 < a <= 5", ["a 5.0 > 1.0", "a 5.0 <= 5.0"]),
        ("not a < 1", ["a 5.0 >= 1.0"]),
        ("a > 1 or b > 1", ["a 5.0 > 1.0"]),
        ("a > 1 or b == 0", ["a 5.0 > 1.0", "b 0.0 == 0.0"]),
        ("not (b or hours > 1 and b)", ["b 0.0 == 0.0"]),
        ("a in (1, 5)", ["a 5.0 in [1.0, 5.0]"]),
        ("a > b", ["a 5.0 > 0.0"]),
        ("a / 2 > 1", ["a / 2 2.5 > 1.0"]),
        ("device == 'mobile'", ["device mobile == mobile"]),
        ("device not in ('tv',)", ["device mobile not in ['tv']"]),
        ("has(device) and not has(hours)", ["device mobile has None", "hours None missing None"]),
        ("coalesce(hours, 9) > 8", ["coalesce(hours, 9) 9.0 > 8.0"]),
        ("a > 1 and (a > 1 or b > 0)", ["a 5.0 > 1.0"]),
    ],
)
def test_why_a_condition_is_true(source: str, expected: list[str]) -> None:
    assert explain(source, True) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a > 5", ["a 5.0 <= 5.0"]),
        ("a > 1 and b > 1", ["b 0.0 <= 1.0"]),
        ("a > 5 or b", ["a 5.0 <= 5.0", "b 0.0 == 0.0"]),
        ("a > 1 and hours > 1", ["hours None missing None"]),
        ("a > hours", ["hours None missing None"]),
        ("device == usual", ["usual None missing None"]),
        ("not device == 'mobile'", ["device mobile == mobile"]),
        ("a > 5 or hours > 1", ["a 5.0 <= 5.0", "hours None missing None"]),
    ],
)
def test_why_a_condition_is_not_true(source: str, expected: list[str]) -> None:
    assert explain(source, False) == expected


def holds(comparison: Because) -> bool:
    value, threshold = comparison.value, comparison.threshold
    if comparison.op in {"has", "missing"}:
        return (value is None) == (comparison.op == "missing")
    operators = {
        "<": lambda: value < threshold, "<=": lambda: value <= threshold,
        ">": lambda: value > threshold, ">=": lambda: value >= threshold,
        "==": lambda: value == threshold, "!=": lambda: value != threshold,
        "in": lambda: value in threshold, "not in": lambda: value not in threshold,
    }  # fmt: skip
    return bool(operators[comparison.op]())


@given(rule_cases.conditions(), rule_cases.rows(max_size=4))
def test_reasons_are_true_and_never_wanting(source: str, rows: list[Row]) -> None:
    expression, env = parse(source, rule_cases.KINDS), rule_cases.columns(rows)
    for i, row in enumerate(rows):
        found = expression.explain(env, i, truth(source, row) is True)
        assert found
        assert all(holds(comparison) for comparison in found), found
        assert len({repr(comparison) for comparison in found}) == len(found)
