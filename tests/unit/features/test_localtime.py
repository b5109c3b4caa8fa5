"""Local time: the shop's zone with its changes, or the event's own offset."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.domain.batch import NO_OFFSET
from stream_app.features.localtime import LocalTime, hour_of, weekday_of

ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe"]


@pytest.mark.parametrize("zone", ZONES)
@given(seconds=st.lists(st.integers(1_500_000_000, 1_900_000_000), min_size=1, max_size=20))
def test_same_as_the_zone_says(zone: str, seconds: list[int]) -> None:
    at = np.array(seconds) * 1_000
    local = LocalTime(zone).local_ms(at, np.full(len(at), NO_OFFSET, np.int16))
    told = [datetime.fromtimestamp(s, UTC).astimezone(ZoneInfo(zone)) for s in seconds]
    assert hour_of(local).tolist() == [moment.hour for moment in told]
    assert weekday_of(local).tolist() == [moment.weekday() for moment in told]


def test_clocks_change_in_the_middle_of_a_batch() -> None:
    # Berlin leaves summer time on 2023-10-29 at 01:00 UTC: two o'clock comes twice.
    change = 1_698_541_200_000
    local = LocalTime("Europe/Berlin").local_ms(
        np.array([change - 1, change]), np.full(2, NO_OFFSET, np.int16)
    )
    assert hour_of(local).tolist() == [2, 2]


def test_an_events_own_offset_comes_first() -> None:
    at = np.array([1_700_000_000_000] * 2)
    local = LocalTime("Europe/Berlin").local_ms(at, np.array([330, NO_OFFSET], np.int16))
    assert hour_of(local).tolist() == [3, 23]
