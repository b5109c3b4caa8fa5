"""Epoch milliseconds and RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.domain.clock import EARLIEST, LATEST, from_rfc3339, to_rfc3339


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_text_round_trips(ms: int) -> None:
    text = to_rfc3339(ms)
    assert len(text) == 24
    assert from_rfc3339(text) == ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00.001+01:00", 1),
        ("1969-12-31T23:59:59.9999Z", -1),
        ("2024-02-29 12:00:00.123999-0530", 1_709_227_800_123),
    ],
)
def test_reads_rfc_3339_and_rounds_down(text: str, ms: int) -> None:
    assert from_rfc3339(text) == ms


@pytest.mark.parametrize(
    "text", ["", "2024-01-01", "2024-01-01T00:00:00", "2024-02-30T00:00:00Z", "yesterday"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        from_rfc3339(text)


def test_range_of_event_times() -> None:
    assert datetime(2000, 1, 1, tzinfo=UTC).timestamp() * 1000 == EARLIEST
    assert datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000 == LATEST
