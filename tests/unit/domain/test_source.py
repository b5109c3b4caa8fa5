"""Declarations know their places, and whatever is wrong with one is said with its place."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.domain.errors import DeclarationError
from stream_app.domain.source import MAX_BYTES, Node, load, loads

TEXT = """\
# a comment
shop: {timezone: Europe/Berlin, night: [22, 6]}
tags:
  big_spender:
    when: >-
      spend_30d
      > 200
    hold: 1d
"""


def at(node: Node, *keys: str) -> Node:
    for key in keys:
        child = node.get(key)
        assert child is not None
        node = child
    return node


def message(text: str) -> str:
    with pytest.raises(DeclarationError) as caught:
        loads(text, "f.yaml")
    return str(caught.value)


def test_every_value_knows_its_line_and_path() -> None:
    root = loads(TEXT, "f.yaml")
    when = at(root, "tags", "big_spender", "when")
    assert (when.value, when.line, when.field) == (
        "spend_30d > 200",
        5,
        "tags.big_spender.when",
    )
    night = at(root, "shop", "night")
    assert [(e.value, e.line, e.field) for e in night.elements()] == [
        (22, 2, "shop.night[0]"),
        (6, 2, "shop.night[1]"),
    ]
    assert root.value["tags"]["big_spender"]["hold"] == "1d"
    assert [key for key, _ in root.items()] == ["shop", "tags"]


def test_scalars_follow_yaml_1_2() -> None:
    text = "{a: no, b: 1e3, c: .5, d: -3, e: 12:30, f: 2024-01-01, g: ~, h: '1', i: true, j: 0o7}"
    assert loads(text).value == {
        "a": "no", "b": 1000.0, "c": 0.5, "d": -3, "e": "12:30", "f": "2024-01-01", "g": None,
        "h": "1", "i": True, "j": "0o7",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f.yaml:1: is empty; expected a mapping"),
        ("# nothing\n", "f.yaml:1: is empty; expected a mapping"),
        ("a:\n  b: 1\n  b: 2", "f.yaml:3: a.b: key 'b' is already on line 2; expected each key"),
        ("a:\n  1: x", "f.yaml:2: a: key 1 is not text; expected a name"),
        ("true: x", "f.yaml:1: key true is not text"),
        ("? [a]\n: 1", "f.yaml:1: key of several values is not text"),
        ("a: &x [1]\nb: *x", "f.yaml:2: alias *x is not allowed"),
        ("a: &x\n  - *x", "f.yaml:2: alias *x is not allowed"),
        ("a:\n\tb: 1", "f.yaml:2: is not YAML: found character '\\t' that cannot start any token; "
         "expected spaces for indentation"),
        ("a: 1\nb: [", "f.yaml:2: is not YAML: "),
        ("a: !!python/object:os.system x", "f.yaml:1: a: tag 'tag:yaml.org,2002:python/object"),
        ("a: !!int abc", "f.yaml:1: a: 'abc' is not int"),
        ("a: 1\nb: \x01", "f.yaml:2: character U+0001 is not allowed"),
        ("a: 1\n---\nb: 1", "f.yaml:2: is not YAML: but found another document"),
        ("[" * 5_000, "f.yaml:1: is nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_not_a_declaration_is_refused_with_its_place(text: str, expected: str) -> None:
    assert message(text).startswith(expected)


def test_aliases_cannot_blow_a_file_up() -> None:
    laughs = "a: &a [x, x]\n" + "".join(
        f"{name}: &{name} [*{before}, *{before}]\n"
        for before, name in zip("abcdefghijklmnop", "bcdefghijklmnopq", strict=True)
    )
    assert "alias *a is not allowed" in message(laughs)


def test_files_that_cannot_be_read_are_declaration_errors(tmp_path: Path) -> None:
    latin, large = tmp_path / "latin.yaml", tmp_path / "large.yaml"
    latin.write_bytes(b"a: 1\nb: \xe4\n")
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    for path, expected in {
        tmp_path: ":1: cannot be read: is a directory",
        tmp_path / "none.yaml": ":1: cannot be read: no such file or directory",
        latin: ":2: is not UTF-8",
        large: ":1: is too large",
    }.items():
        with pytest.raises(DeclarationError) as caught:
            load(path)
        assert str(caught.value).startswith(f"{path}{expected}")


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: \xc3\xa4\n")
    assert load(path).value == {"a": "ä"}


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("90s", 90_000), ("30m", 1_800_000), ("24h", 86_400_000), ("7d", 604_800_000)],
)
def test_durations(text: str, milliseconds: int) -> None:
    assert at(loads(f"a: {text}"), "a").duration_ms() == milliseconds


@pytest.mark.parametrize("text", ["7", "0d", "-1d", "1.5h", "1 d", "7w", "''", "~", "[1d]"])
def test_what_is_not_a_duration(text: str) -> None:
    with pytest.raises(DeclarationError, match="not a duration; expected a duration such as 30m"):
        at(loads(f"a: {text}"), "a").duration_ms()


def test_a_duration_of_more_than_ten_years_is_refused() -> None:
    with pytest.raises(DeclarationError, match="4000d is too long; expected at most 3650d"):
        at(loads("a: 4000d"), "a").duration_ms()


@pytest.mark.parametrize(
    ("text", "method", "expected"),
    [
        ("3", "text", "a: is a number (3); expected text"),
        ("'  '", "text", "a: is empty; expected text"),
        ("x", "number", "a: is text ('x'); expected a number"),
        ("true", "number", "a: is true; expected a number"),
        (".nan", "number", "a: is not a finite number"),
        (".inf", "number", "a: is not a finite number"),
        ("9" * 400, "number", "a: is not a finite number"),
        ("~", "boolean", "a: is empty; expected true or false"),
        ("[1]", "items", "a: is a list; expected a mapping"),
        ("{b: 1}", "elements", "a: is a mapping; expected a list"),
    ],
)
def test_a_value_of_another_type_is_refused(text: str, method: str, expected: str) -> None:
    node = at(loads(f"a: {text}"), "a")
    with pytest.raises(DeclarationError) as caught:
        getattr(node, method)()
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0 is out of range"),
        ("9", "9 is out of range"),
        ("1.0", "is a number (1.0)"),
        ("true", "is true"),
    ],
)
def test_whole_numbers_have_bounds(text: str, expected: str) -> None:
    node = at(loads(f"a: {text}"), "a")
    with pytest.raises(DeclarationError) as caught:
        node.integer(1, 8)
    assert expected in str(caught.value)
    assert "expected a whole number from 1 to 8" in str(caught.value)
    assert at(loads("a: 8"), "a").integer(1, 8) == 8


def test_unknown_keys_are_answered_with_the_nearest_allowed_one() -> None:
    node = at(loads("tags:\n  x:\n    class: basic\n    wehn: y"), "tags", "x")
    with pytest.raises(DeclarationError) as caught:
        node.check_keys(["class", "when", "until"])
    assert str(caught.value).endswith(
        ":4: tags.x.wehn: unknown key 'wehn'; expected 'when' (did you mean that?)"
    )
    with pytest.raises(DeclarationError, match=r"2: tags\.x: 'when' is missing"):
        node.check_keys(["class", "wehn"], required=["class", "when"])


def test_one_of_names_what_is_allowed() -> None:
    node = at(loads("clock: wal"), "clock")
    with pytest.raises(DeclarationError, match="'wal' is not known; expected 'wall'"):
        node.one_of(["wall", "event"])
    assert node.one_of(["wal"]) == "wal"


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_a_declaration_or_a_declaration_error(text: str) -> None:
    with suppress(DeclarationError):
        assert loads(text, "f.yaml").line >= 1
