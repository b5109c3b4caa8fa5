"""Rows grow without losing what was written."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.engine.rows import Rows

DTYPE = np.dtype([("a", "i8"), ("b", "u4"), ("c", "u4")])


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=6))
def test_rows_survive_growth(sizes: list[int]) -> None:
    rows = Rows(DTYPE.itemsize)
    for size in sizes:
        first = rows.extend(size)
        slots = np.arange(first, first + size)
        fresh = rows.gather(slots, DTYPE)
        assert not fresh["a"].any()
        fresh["a"] = slots
        rows.scatter(slots, fresh)
    everything = rows.gather(np.arange(rows.count), DTYPE)
    np.testing.assert_array_equal(everything["a"], np.arange(sum(sizes)))


def test_of_a_repeated_slot_the_last_row_stays() -> None:
    rows = Rows(DTYPE.itemsize)
    rows.extend(2)
    block = np.zeros(3, DTYPE)
    block["a"] = [1, 2, 3]
    rows.scatter(np.array([0, 1, 0]), block)
    assert rows.gather(np.array([0, 1]), DTYPE)["a"].tolist() == [3, 2]
