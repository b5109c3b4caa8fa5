"""The shop's local time, with both changes of the clocks."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime

import numpy as np
import pytest

from stream_app.data.clock import DAY, HOUR, day_number, day_of, day_start_ms, local_rfc3339


def ms(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("utc", "local"),
    [
        ((2017, 1, 1, 11, 53, 26), "2017-01-01T06:53:26-05:00"),
        ((2017, 3, 12, 6, 59, 59), "2017-03-12T01:59:59-05:00"),
        ((2017, 3, 12, 7, 0, 0), "2017-03-12T03:00:00-04:00"),
        ((2017, 11, 5, 5, 30, 0), "2017-11-05T01:30:00-04:00"),
        ((2017, 11, 5, 6, 30, 0), "2017-11-05T01:30:00-05:00"),
    ],
)
def test_local_time_has_its_offset(utc, local):
    assert local_rfc3339(np.array([ms(*utc)])) == [local]


def test_days_begin_at_local_midnight():
    starts = [day_start_ms(day) for day in range(366)]
    assert starts[0] == ms(2017, 1, 1, 5)
    lengths = {b - a for a, b in itertools.pairwise(starts)}
    assert lengths == {DAY, DAY - HOUR, DAY + HOUR}
    assert day_of(np.array(starts)).tolist() == list(range(366))
    assert (day_of(np.array(starts) - 1) == np.arange(-1, 365)).all()


def test_dates_are_numbered_from_the_first_day():
    assert [day_number(date(2017, 1, 1)), day_number(date(2017, 3, 1))] == [0, 59]
