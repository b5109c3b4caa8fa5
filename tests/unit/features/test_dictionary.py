"""The bounded dictionary of strings."""

from __future__ import annotations

import pytest

from stream_app.features import dictionary
from stream_app.features.dictionary import OTHER, Dictionary


def test_codes_count_from_one_and_stay() -> None:
    strings = Dictionary()
    assert strings.codes(["a", "b", "a"]).tolist() == [1, 2, 1]
    assert strings.codes(["c", "b"]).tolist() == [3, 2]
    assert strings.values[:] == ["", "a", "b", "c"]
    assert len(strings) == 3


def test_what_is_new_is_told_once() -> None:
    strings = Dictionary()
    strings.codes(["a", "b"])
    assert strings.take_added() == [(1, "a"), (2, "b")]
    strings.codes(["a"])
    assert strings.take_added() == []


def test_a_full_dictionary_says_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictionary, "CAPACITY", 2)
    strings = Dictionary()
    assert strings.codes(["a", "b", "c", "a"]).tolist() == [1, 2, OTHER, 1]
    assert strings.values[OTHER] == "(other)"
    assert strings.take_added() == [(1, "a"), (2, "b")]


def test_restored_in_any_order() -> None:
    strings = Dictionary()
    strings.load(2, "b")
    strings.load(1, "a")
    assert strings.codes(["a", "b", "c"]).tolist() == [1, 2, 3]
    assert strings.take_added() == [(3, "c")]


@pytest.mark.parametrize(("code", "text"), [(0, "x"), (65_535, "x"), (1, "x"), (2, "a")])
def test_refuses_a_code_or_text_that_is_taken(code: int, text: str) -> None:
    strings = Dictionary()
    strings.load(1, "a")
    with pytest.raises(ValueError, match="code"):
        strings.load(code, text)
