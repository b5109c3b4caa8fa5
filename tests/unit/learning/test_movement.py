"""A tally between fits: how many came to each segment, and how far they are from its centre."""

from __future__ import annotations

import numpy as np
import pytest
from support.learned import segments

from stream_app.learning.movement import Movement

#: Centres at the logarithms 0 and 2; the second column counts for nothing.
CENTROIDS = segments(0.0, 2.0, bound=1.0)


def of_logs(*logs: float) -> np.ndarray:
    return np.column_stack([np.expm1(logs), np.zeros(len(logs))])


def test_nobody_has_come_yet() -> None:
    assert Movement(CENTROIDS).metrics() == {
        "size_s1": None, "moved_s1": None, "size_s2": None, "moved_s2": None,
    }  # fmt: skip


def test_shares_and_distances_of_those_who_belong_to_a_segment() -> None:
    movement = Movement(CENTROIDS)
    movement.add(of_logs(0.0, 0.0, 2.5, 2.7))
    # The last is unusual: it counts among all, and to no segment.
    movement.add(of_logs(2.6, 4.5))
    assert movement.metrics() == {
        "size_s1": pytest.approx(2 / 6),
        "moved_s1": pytest.approx(0.0),
        "size_s2": pytest.approx(3 / 6),
        "moved_s2": pytest.approx(0.6, abs=1e-6),
    }


def test_the_centres_stand_still_and_order_does_not_matter() -> None:
    one, other = Movement(CENTROIDS), Movement(CENTROIDS)
    logs = np.random.default_rng(0).uniform(0, 2.9, 500)
    one.add(of_logs(*logs))
    for part in np.array_split(logs[::-1], 7):
        other.add(of_logs(*part))
    assert one.tally == other.tally
    assert one.metrics() == other.metrics()


def test_a_missing_value_is_the_median() -> None:
    movement = Movement(CENTROIDS)
    movement.add(np.array([[np.nan, np.nan]]))
    assert movement.metrics()["size_s1"] == 1.0
