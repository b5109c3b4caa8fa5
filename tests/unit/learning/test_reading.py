"""Reading JSON: what a schema takes for a whole number is one, and refusals are ValueErrors."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from stream_app.learning.reading import parsed, read, typed

COUNTS: msgspec.json.Decoder[dict[str, int]] = msgspec.json.Decoder(dict[str, int])
DEEP = b'{"x":' * 100_000


def test_a_number_without_fraction_is_whole() -> None:
    assert read(b'{"a": 1.0, "b": 2, "c": 3e2}', COUNTS) == {"a": 1, "b": 2, "c": 300}
    assert typed([[1.0], {"x": 2.0}], Any) == [[1.0], {"x": 2.0}]
    assert typed([1.0, 2.0], list[int]) == [1, 2]


@pytest.mark.parametrize("number", [1.5, "1", True, None, [1]])
def test_others_are_not(number: Any) -> None:
    with pytest.raises(ValueError, match=r"\$\[...\]"):
        read(json.dumps({"a": number}).encode(), COUNTS)


@pytest.mark.parametrize("value", [b"", b"{", b"NaN", b'{"a": 1}x', b'"\xff"', DEEP])
def test_what_is_no_json_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError):
        parsed(value)
    with pytest.raises(ValueError):
        read(value, COUNTS)


def test_depth_is_bounded_in_what_is_ignored_too() -> None:
    class Known(msgspec.Struct):
        a: int

    with pytest.raises(ValueError, match="nested too deep"):
        read(DEEP + b"1" + b"}" * 100_000, msgspec.json.Decoder(Known))
