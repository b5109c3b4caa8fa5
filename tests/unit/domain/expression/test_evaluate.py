"""Conditions are evaluated in three-valued logic, for all rows at once."""

import numpy as np
import pytest
from hypothesis import given
from support import rule_cases
from support.reference_rules import truth
from support.rule_cases import Row

from stream_app.domain.expression import Frame, Text, parse

ROWS: list[Row] = [
    {"a": 1.0, "b": 0.0, "hours": 47.0, "device": "mobile", "usual": "mobile"},
    {"a": 3.0, "b": 2.0, "hours": 48.0, "device": "desktop", "usual": "mobile"},
    {"a": None, "b": 1.0, "hours": None, "device": None, "usual": "tv"},
]
#: Source, and what it is for each of ROWS: + true, - false, ? unknown.
CASES = [
    ("a > 1", "-+?"),
    ("1 < a", "-+?"),
    ("a == 1", "+-?"),
    ("a != 1", "-+?"),
    ("not a == 1", "-+?"),
    ("1 <= a < 3", "+-?"),
    ("a in (1, 2)", "+-?"),
    ("a not in (1, 2)", "-+?"),
    ("a > 1 or b == 1", "-++"),
    ("a > 1 and b == 0", "---"),
    ("b", "-++"),
    ("not b", "+--"),
    ("b == True", "--+"),
    ("has(a)", "++-"),
    ("has(a / b)", "-+-"),
    ("a / b > 1", "?+?"),
    ("a - b >= 1 and -a <= -1", "++?"),
    ("abs(b - 1) == 1", "++-"),
    ("max(a, b, 2) > 2", "-+?"),
    ("min(b, 1) == 1", "-++"),
    ("coalesce(hours, 999) >= 48", "-++"),
    ("device == 'mobile'", "+-?"),
    ("'mobile' != device", "-+?"),
    ("device in ['mobile', 'tv']", "+-?"),
    ("device not in ['mobile', 'tv']", "-+?"),
    ("coalesce(device, 'tv') == 'tv'", "--+"),
    ("coalesce(device, 'tv') != 'tv'", "++-"),
    ("device == usual", "+-?"),
    ("device != usual", "-+?"),
    ("has(device)", "++-"),
    ("device == 'unheard of'", "--?"),
]


@pytest.mark.parametrize(("source", "expected"), CASES)
def test_cases(source: str, expected: str) -> None:
    result = parse(source, rule_cases.KINDS).evaluate(rule_cases.columns(ROWS))
    shown = "".join("+" if t else "-" if f else "?" for t, f in zip(*result, strict=True))
    assert shown == expected


@given(rule_cases.conditions(), rule_cases.rows())
def test_all_rows_at_once_agree_with_a_row_at_a_time(source: str, rows: list[Row]) -> None:
    result = parse(source, rule_cases.KINDS).evaluate(rule_cases.columns(rows))
    found = [True if t else False if f else None for t, f in zip(*result, strict=True)]
    assert not (result.t & result.f).any()
    assert found == [truth(source, row) for row in rows]


def test_columns_are_computed_once_for_expressions_that_share_a_frame() -> None:
    class Counting(dict[str, object]):
        asked = 0

        def __getitem__(self, name: str) -> object:
            self.asked += 1
            return super().__getitem__(name)

    counting = Counting(rule_cases.columns(ROWS))
    frame = Frame(counting)
    first = parse("a > 1 and b > 0", rule_cases.KINDS).true(frame)
    asked = counting.asked
    second = parse("a > 1 or b > 0", rule_cases.KINDS).true(frame)
    assert (counting.asked, first.tolist(), second.tolist()) == (
        asked,
        [False, True, False],
        [False, True, True],
    )


@pytest.mark.parametrize("values", [1e308, -1e308, np.inf, 5e-324])
def test_huge_and_tiny_numbers_neither_warn_nor_fail(values: float) -> None:
    env = {"a": np.array([values]), "b": np.array([0.0])}
    expression = parse("a * 1e308 - a * 1e308 > a / b or a * a >= 0", rule_cases.KINDS)
    assert expression.evaluate(env).t.tolist() == [True]


def test_few_rows_are_compared_to_many_texts_quickly_and_rightly() -> None:
    texts = [str(n) for n in range(65_000)]
    env = {"device": Text(np.array([64_999, 3, -1], np.int32), texts)}
    expression = parse("device in ['64999', '5']", rule_cases.KINDS)
    assert expression.true(env).tolist() == [True, False, False]


def test_no_rows() -> None:
    assert parse("a > 1 and device == 'x'", rule_cases.KINDS).true(rule_cases.columns([])).size == 0
