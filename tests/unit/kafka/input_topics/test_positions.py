"""Whoever reads a partition of an input goes on where it was read to, by whatever name."""

from __future__ import annotations

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from stream_app.engine.changelog import Meta
from stream_app.kafka.input_topics.positions import partitions_of_inputs, positions, spread
from stream_app.settings import Settings

SETTINGS = Settings(app_id="a")
COUNTS = st.integers(1, 12)


def metas(following: list[dict[str, int]]) -> dict[int, Meta]:
    return {n: Meta(next=one, time=0, layout="", strings=0) for n, one in enumerate(following)}


@given(COUNTS, COUNTS, COUNTS)
def test_no_position_is_lost_by_other_tasks(before: int, after: int, count: int) -> None:
    counts = {"clicks": count, "purchases": before, "a-routed": before}
    known = {part: 7 * i for i, part in enumerate(partitions_of_inputs(SETTINGS, counts))}
    once = positions(SETTINGS, metas(spread(SETTINGS, before, known)))
    assert once == known
    if after >= before:
        assert positions(SETTINGS, metas(spread(SETTINGS, after, known))) == known


def test_a_task_names_its_own_partition_by_the_topic_alone() -> None:
    parts = [TopicPartition("clicks", n) for n in (1, 5, 9)]
    found = spread(SETTINGS, 4, dict(zip(parts, (10, 50, 90), strict=True)))
    assert found == [{}, {"clicks": 10, "clicks:5": 50, "clicks:9": 90}, {}, {}]
    found = spread(SETTINGS, 8, dict(zip(parts, (10, 50, 90), strict=True)))
    assert found[1] == {"clicks": 10, "clicks:9": 90}
    assert found[5] == {"clicks": 50}
