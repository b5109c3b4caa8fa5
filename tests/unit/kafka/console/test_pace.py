"""When events are due."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.console.pace import Pace

TIMES = st.lists(st.integers(0, 10**7), min_size=1, max_size=30)


def test_a_rate_spaces_events_evenly_across_chunks():
    pace = Pace(rate=4)
    assert pace.due(np.zeros(3, np.int64)).tolist() == [0, 0.25, 0.5]
    assert pace.due(np.zeros(2, np.int64)).tolist() == [0.75, 1.0]


def test_speed_replays_by_event_time():
    pace = Pace(speed=60)
    assert pace.due(np.array([1_000_000, 1_060_000])).tolist() == [0, 1]
    assert pace.due(np.array([1_600_000])).tolist() == [10]


def test_with_both_the_slower_one_holds():
    pace = Pace(rate=1, speed=10)
    assert pace.due(np.array([0, 1, 50_000])).tolist() == [0, 1, 5]


def test_without_either_nothing_waits():
    assert Pace().free
    assert not Pace(rate=1).free
    assert not Pace(speed=1).free
    assert Pace().due(np.array([5, 10**9])).tolist() == [0, 0]


@given(times=TIMES, cut=st.integers(0, 30), speed=st.floats(0.1, 1000))
def test_due_never_falls_and_does_not_depend_on_chunks(times, cut, speed):
    at = np.array(times, np.int64)
    whole = Pace(rate=50, speed=speed).due(at)
    parts = Pace(rate=50, speed=speed)
    split = np.concatenate([parts.due(at[:cut]), parts.due(at[cut:])])
    assert split.tolist() == whole.tolist()
    assert (np.diff(whole) >= 0).all()
