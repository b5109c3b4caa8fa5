"""What a declaration error says."""

import pytest

from stream_app.domain.errors import DeclarationError, Reason, nearest


def test_a_declaration_error_reads_as_file_line_field_message_and_expectation() -> None:
    error = DeclarationError("shop.yaml", 12, "tags.big.when", "is empty", "text")
    assert str(error) == "shop.yaml:12: tags.big.when: is empty; expected text"


def test_a_declaration_error_leaves_out_what_it_does_not_know() -> None:
    assert str(DeclarationError("shop.yaml", 1, "", "is too large")) == "shop.yaml:1: is too large"


@pytest.mark.parametrize(
    ("name", "allowed", "expected"),
    [
        ("wehn", ["until", "when"], "'when' (did you mean that?)"),
        ("zzz", ["b", "a"], "one of a, b"),
        ("zzz", [str(n) for n in range(10, 24)], "one of 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, "
         "20, 21 and 2 more"),
        ("zzz", [], "nothing: no name is declared"),
    ],
)  # fmt: skip
def test_nearest_proposes_the_closest_name(name: str, allowed: list[str], expected: str) -> None:
    assert nearest(name, allowed) == expected


def test_reasons_are_what_dead_letters_carry() -> None:
    assert {str(reason) for reason in Reason} == {
        "malformed", "invalid", "unknown_type", "wrong_topic", "too_large",
        "amount_out_of_range", "undeclared_currency", "future", "too_old", "misrouted", "empty",
    }  # fmt: skip
