"""Events grouped by row."""

from __future__ import annotations

import numpy as np
import pytest

from stream_app.features.runs import Runs


@pytest.mark.parametrize("row_count", [10, 100_000])
def test_runs_keep_the_order_of_events(row_count: int) -> None:
    runs = Runs(np.array([7, 2, 7, 2, 2]), row_count)
    assert runs.rows.tolist() == [2, 7]
    assert runs.lengths.tolist() == [3, 2]
    assert runs.order.tolist() == [1, 3, 4, 0, 2]
    assert runs.rank.tolist() == [0, 1, 2, 0, 1]
    assert runs.number.tolist() == [0, 0, 0, 1, 1]
    assert runs.events(1).tolist() == [0, 2]
    assert runs.spread(runs.rows).tolist() == [2, 2, 2, 7, 7]


def test_runs_can_be_left_out() -> None:
    rest = Runs(np.array([7, 2, 7, 2, 2]), 10).without(np.array([True, False]))
    assert rest.rows.tolist() == [7]
    assert rest.order.tolist() == [0, 2]


def test_no_events() -> None:
    runs = Runs(np.empty(0, np.intp), 10)
    assert runs.longest == 0
    assert runs.rank.tolist() == []
