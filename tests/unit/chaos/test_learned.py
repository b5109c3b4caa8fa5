"""Days end one after the other, but for those that a change of the partitions passes over."""

from __future__ import annotations

import json

import pytest
from chaos.inputs import Event, Inputs
from chaos.learned import check_samples
from chaos.lives import DAY_MS
from chaos.records import Record
from chaos.seen import Seen

HOUR_MS = DAY_MS // 24
#: Its time before and after: the end of the third day lies between.
MOVED = (3 * DAY_MS - HOUR_MS, 3 * DAY_MS + HOUR_MS)
WHERE = ("clicks", 0)


def found(ends: list[int], breaks: list[tuple[int, int]], latest: int) -> list[str]:
    inputs = Inputs()
    inputs.logs[WHERE] = [Event(0, 0, "ann", "c1", latest, 0)]
    days = [
        Record(
            "training", 0, i, None, json.dumps({"kind": "day", "partition": 0, "at": day}).encode()
        )
        for i, day in enumerate(ends)
    ]
    seen = Seen(following=[{WHERE: 1}], times=[latest + HOUR_MS], breaks=[breaks])
    return list(check_samples(inputs, [days], seen))


@pytest.mark.parametrize("ends", [[1, 2, 4], [1, 2]])
def test_a_day_may_be_passed_over_where_time_is_put_forward(ends: list[int]) -> None:
    latest = ends[-1] * DAY_MS + 2 * HOUR_MS if ends[-1] > 3 else MOVED[1]
    ended = [day * DAY_MS for day in ends]
    assert not found(ended, [MOVED], latest)
    assert found(ended, [], latest)
    # A change by which time came no further excuses nothing.
    assert found(ended, [(MOVED[0], MOVED[0])], latest)


@pytest.mark.parametrize("ends", [[1, 2, 2, 3], [2, 1, 3], [1, 3], [1, 2, 3, 4]])
def test_no_other_day_may_be_left_out_doubled_or_early(ends: list[int]) -> None:
    latest = 3 * DAY_MS + HOUR_MS
    assert not found([DAY_MS, 2 * DAY_MS, 3 * DAY_MS], [], latest)
    assert found([day * DAY_MS for day in ends], [], latest)
