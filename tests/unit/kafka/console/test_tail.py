"""Changes of several partitions, merged."""

from __future__ import annotations

from types import SimpleNamespace

from aiokafka import TopicPartition

from stream_app.kafka.console.tail import in_time_order


def test_partitions_are_merged_by_time_and_keep_their_own_order():
    def log(*stamps):
        return [SimpleNamespace(timestamp=at, offset=i) for i, at in enumerate(stamps)]

    merged = in_time_order({TopicPartition("t", 0): log(1, 9, 4), TopicPartition("t", 1): log(3)})
    assert [record.timestamp for record in merged] == [1, 3, 9, 4]
