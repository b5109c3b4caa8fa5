"""What is told of odd records, in a time that is no weapon."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream_app.domain.faults import MAX_DEPTH, SHALLOW_BYTES, _too_deep

#: As large as events may be.
SIZE = 65_000


@pytest.mark.parametrize(
    "value",
    [
        b"[" * SIZE,
        b"[" * (SIZE // 2) + b"]" * (SIZE // 2),
        b"[]" * (SIZE // 2),
        b'{"a":' * (SIZE // 5),
        b'["' * (SIZE // 2),
        b"]" * SIZE + b"[",
    ],
)
def test_the_depth_of_the_worst_record_is_seen_in_milliseconds(value: bytes) -> None:
    """Four hundred passes took 80 ms a record: a few hundred of them stood a worker still."""
    took = []
    for _ in range(5):
        begun = time.process_time()
        _too_deep(value)
        took.append(time.process_time() - begun)
    assert min(took) < 0.02


def nested(depth: int, wide: int) -> bytes:
    """JSON of that depth whose every level has leaves, and text with brackets in it."""
    beside = b'{"[[": "\\"{"}, [],' * wide
    return (b"[" + beside) * (depth - 1) + b"[]" + b"]" * (depth - 1)


@given(st.integers(MAX_DEPTH - 3, MAX_DEPTH + 3), st.integers(0, 3))
@example(MAX_DEPTH, 1)
@example(MAX_DEPTH + 1, 1)
def test_the_deepest_that_may_be_is_what_it_says(depth: int, wide: int) -> None:
    value = nested(depth, wide) + b" " * SHALLOW_BYTES
    assert _too_deep(value) is (depth > MAX_DEPTH)


def test_what_closes_more_than_it_opened_hides_no_depth() -> None:
    assert _too_deep(b"]" * 2_000 + b"[" * (MAX_DEPTH + 1))
    assert not _too_deep(b"[]" * 2_000 + b"[" * MAX_DEPTH)
