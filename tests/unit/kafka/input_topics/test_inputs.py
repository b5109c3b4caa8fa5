"""Which partitions a task reads, what `\\0meta` calls them, and that nobody reads one twice."""

from __future__ import annotations

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.input_topics.inputs import ROUTED, expected, inputs_of, partition_of
from stream_app.settings import Settings

COUNTS = st.integers(1, 9)


def every(clicks: int, purchases: int, tasks: int) -> list[TP]:
    counts = {"clicks": clicks, "purchases": purchases, "stream_app-routed": tasks, "other": 3}
    return [TP(topic, number) for topic, count in counts.items() for number in range(count)]


@given(COUNTS, COUNTS, COUNTS)
def test_each_partition_is_read_by_one_task_which_must_have_those_of_producers(
    clicks, purchases, tasks
):
    settings, there = Settings(partitions=tasks), every(clicks, purchases, tasks)
    read = [inputs_of(settings, number, there) for number in range(tasks)]
    assert sorted(one.tp for of in read for one in of) == sorted(
        tp for tp in there if tp.topic != "other"
    )
    counts = {"clicks": clicks, "purchases": purchases}
    for number, of in enumerate(read):
        producers = {one.tp for one in of if one.topic != ROUTED}
        assert producers == expected(settings, number, counts)


@given(COUNTS, COUNTS, COUNTS)
def test_names_are_distinct_in_a_task_and_say_where_they_lie(clicks, purchases, tasks):
    settings, there = Settings(partitions=tasks), every(clicks, purchases, tasks)
    for number in range(tasks):
        inputs = inputs_of(settings, number, there)
        assert len({one.name for one in inputs}) == len(inputs)
        for one in inputs:
            assert partition_of(one.name, number) == (one.label, one.tp.partition)


def test_with_equally_many_partitions_names_are_as_they_were():
    read = inputs_of(Settings(partitions=4), 3, every(4, 4, 4))
    assert [one.name for one in read] == ["clicks", "purchases", "routed"]


def test_without_counts_as_many_as_tasks_are_expected():
    assert expected(Settings(partitions=2), 1, {}) == {TP("clicks", 1), TP("purchases", 1)}
