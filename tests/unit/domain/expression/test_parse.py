"""What the rule language is made of, and what it refuses."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import rule_cases
from support.reference_rules import names

from stream_app.domain.expression import ExpressionError, parse

KINDS = {**rule_cases.KINDS, "interests": "list"}


@pytest.mark.parametrize(
    ("source", "message", "column"),
    [
        ("", "is empty; expected a condition", 1),
        ("a = 1", "cannot be read at '= 1': invalid syntax; did you mean ==?", 3),
        ("a > 1 && b > 1", "cannot be read at '& b > 1'", 8),
        ("a >", "cannot be read at the end: invalid syntax", 4),
        ("a > 1) or (b > 2", "cannot be read at ') or (b > 2'", 6),
        ("b > 0 and hous > 1", "'hous' is not known; expected 'hours' (did you mean that?)", 11),
        ("zz > 1", "'zz' is not known; expected one of a, b, device, hours, interests, usual", 1),
        ("a > '1'", "'1' is text and a is a number: not comparable", 1),
        ("device == 3", "device is text and 3 is a number: not comparable", 1),
        ("device > 'x'", "text has no order: > is for numbers; expected == or !=", 1),
        ("a == 1 and device", "device is text, not a condition; compare it", 12),
        ("a + 1", "a + 1 is not a condition; compare it, as in a + 1 > 0", 1),
        ("True", "a constant is not a condition", 1),
        ("1 < 2 or a > 1", "compares two constants; expected a name on one side", 1),
        ("a is None", "`is` is not in the language; use == or has(name)", 1),
        ("a == None", "None is not a value; use has(name)", 6),
        ("interests == 'x'", "interests is a list; expected a number or text", 1),
        ("a in 3", "expected a list such as ('a', 'b') after 'in'", 6),
        ("a in ()", "expected a list such as ('a', 'b') after 'in'", 6),
        ("a in device", "expected a list such as ('a', 'b') after 'in'", 6),
        ("a in (1, '2')", "a can be in a list of constant numbers only", 10),
        ("device in ('x', 2)", "device can be in a list of quoted texts only", 17),
        ("'x' in device", "expected a name before 'in'", 1),
        ("device in ('x', usual)", "device can be in a list of quoted texts only", 17),
        ("has(3)", "has() needs a name", 5),
        ("has(a, b)", "has() takes 1 values", 1),
        ("has(a) > 1", "has() is a condition, not a number", 1),
        ("coalesce(1, 2) > 1", "coalesce() needs a name first", 10),
        ("coalesce(a, b) > 1", "coalesce() needs a constant number second", 13),
        ("coalesce(device, 1) == 'x'", "coalesce() needs a constant quoted text second", 18),
        ("coalesce(device, 'x') == usual", "coalesce() of text can be compared to quoted", 1),
        ("min(a) > 1", "min() takes 2 to 20 values", 1),
        ("abs(x=1) > 1", "abs() takes 1 values", 1),
        ("abs(device) > 1", "device is text; expected a number", 5),
        ("mni(a, b) > 1", "mni() is not in the language; expected 'min'", 1),
        ("a > (b > 1)", "a condition is not a number", 6),
        ("a > 1e999", "is not a finite number", 5),
        ("a > 1 / 0", "is not a finite number", 5),
        ("a > 1e308 * 10", "is not a finite number", 5),
        ("a > 9 ** 9", "9 ** 9 is not in the language", 5),
        ("a.real > 1", "a.real is not in the language", 1),
        ("[a]", "[a] is not in the language", 1),
        ("a if b else a", "a if b else a is not in the language", 1),
        ("(lambda: a)() > 1", "lambda: a() is not in the language", 1),
        ("__import__('os').system('x')", "__import__('os').system() is not in the language", 1),
        ("f'{a}' == device", "f'{a}' is not in the language", 1),
        ("(a := 3) > 1", "a := 3 is not in the language", 2),
        ("a > 1 # why\nand b > 1", "a comment is not allowed inside an expression", 6),
        ("device == 'ä' and bb > 1", "'bb' is not known", 19),
        ("a" + " + a" * 100 + " > 1", "is nested deeper than 60 levels", 1),
        ("not " * 100 + "a", "is nested deeper than 60 levels", 241),
        ("a > " + "1" * 2_000, "is longer than 2000 characters", 2_000),
    ],
)  # fmt: skip
def test_what_is_refused_and_where(source: str, message: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(source, KINDS)
    assert caught.value.message.startswith(message)
    assert caught.value.column == column
    assert str(caught.value) == f"{caught.value.message} (column {column})"


@given(st.text("abdevicehours()[]<>=!.,'\"+-*/ \\#\n01and or not in", max_size=40))
def test_any_text_is_an_expression_or_an_expression_error(source: str) -> None:
    with suppress(ExpressionError):
        assert parse(source, KINDS).names <= set(KINDS)


def test_lines_are_joined() -> None:
    assert parse("a > 1\n  and b > 1\n", KINDS).names == {"a", "b"}


@pytest.mark.parametrize(
    ("source", "thresholds", "opaque"),
    [
        ("a > 1 and 2 <= hours < 5", [("a", 1), ("hours", 2), ("hours", 5)], set()),
        ("a > 1 or not a > 1 or a >= 3", [("a", 1), ("a", 3)], set()),
        ("coalesce(hours, 99) >= 2 * 24", [("hours", 48)], set()),
        ("hours in (1, 2)", [("hours", 1), ("hours", 2)], set()),
        ("a", [("a", 0)], set()),
        ("has(hours) and device == usual and device in ('x',)", [], set()),
        ("hours / 24 > 2 and a > 1", [("a", 1)], {"hours"}),
        ("hours > a", [], {"hours", "a"}),
        ("abs(a) > 1 and a > 2 and has(a / b)", [("a", 2)], {"a", "b"}),
    ],
)
def test_thresholds_and_opaque_names(
    source: str, thresholds: list[tuple[str, float]], opaque: set[str]
) -> None:
    expression = parse(source, KINDS)
    assert (list(expression.thresholds), expression.opaque) == (thresholds, opaque)


@given(rule_cases.conditions())
def test_leaves_are_the_comparisons_of_the_source(source: str) -> None:
    expression = parse(source, KINDS)
    used = names(source)
    assert expression.names == used
    assert len(expression.leaves) >= 1
    assert {name for name, _ in expression.thresholds} | expression.opaque <= used
