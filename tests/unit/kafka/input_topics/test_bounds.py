"""Reading starts where meta says, or it is refused with the choices spelled out."""

from __future__ import annotations

import pytest
from faust.types import TP

from stream_app.kafka.errors import Refusal
from stream_app.kafka.input_topics.bounds import first_offsets

TPS = (TP("clicks", 1), TP("purchases", 1))
BOUNDS = {TPS[0]: (5, 20), TPS[1]: (0, 7)}


def test_without_meta_reading_starts_at_the_first_record_kept() -> None:
    assert first_offsets(TPS, None, BOUNDS) == [5, 0]


def test_meta_decides() -> None:
    assert first_offsets(TPS, {"clicks": 12, "purchases": 7}, BOUNDS) == [12, 7]


def test_events_deleted_unread_are_a_refusal() -> None:
    with pytest.raises(Refusal, match=r"clicks partition 1: .*deleted 2 events.*Choose"):
        first_offsets(TPS, {"clicks": 3, "purchases": 0}, BOUNDS)


def test_a_topic_made_anew_is_a_refusal() -> None:
    with pytest.raises(Refusal, match=r"purchases partition 1: .*ends at 7.*Choose"):
        first_offsets(TPS, {"clicks": 12, "purchases": 8}, BOUNDS)
