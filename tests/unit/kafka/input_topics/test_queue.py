"""The queue takes every record once, whatever is delivered, and in log order."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.input_topics.queue import Gap, RecordQueue


@dataclass
class Rec:
    offset: int
    value: bytes | None = b"x"
    timestamp: int = 0


def fetch(*offsets: int) -> list[Rec]:
    return [Rec(offset) for offset in offsets]


def offsets(records):
    return [record.offset for record in records]


def test_records_before_the_next_offset_are_dropped_one_by_one() -> None:
    queue = RecordQueue(2, 100)
    queue.put(0, fetch(3, 4, 5, 6))
    taken = queue.take([5, 0], 100, 1_000)
    assert offsets(taken.records[0]) == [5, 6]
    assert taken.next == [7, 0]
    assert taken.gaps == []


def test_a_later_start_than_expected_is_a_gap() -> None:
    queue = RecordQueue(2, 100)
    queue.put(1, fetch(9, 10))
    taken = queue.take([0, 7], 100, 1_000)
    assert taken.gaps == [Gap(topic=1, expected=7, found=9)]


def test_one_record_larger_than_the_bound_is_still_taken() -> None:
    queue = RecordQueue(1, 100)
    queue.put(0, [Rec(0, b"x" * 50), Rec(1)])
    taken = queue.take([0], 100, 10)
    assert offsets(taken.records[0]) == [0]
    assert queue.records == 1


def test_fetching_pauses_when_full_and_goes_on_at_half() -> None:
    queue = RecordQueue(1, 4)
    queue.put(0, fetch(0, 1, 2, 3))
    assert queue.full
    assert not queue.low
    queue.take([0], 2, 1_000)
    assert queue.low


def test_few_large_records_pause_fetching_too() -> None:
    queue = RecordQueue(1, 100, 40)
    queue.put(0, [Rec(0, b"x" * 9), Rec(1, b"x" * 11), Rec(2, None), Rec(3, b"x" * 20)])
    assert (queue.bytes, queue.full) == (40, True)
    # The first was folded already; two are taken.
    taken = queue.take([1], 2, 1_000)
    assert offsets(taken.records[0]) == [1, 2]
    assert (queue.bytes, queue.full, queue.low) == (20, False, True)
    queue.clear()
    assert queue.bytes == 0


def test_clear_leaves_nothing() -> None:
    queue = RecordQueue(1, 4)
    queue.put(0, fetch(0, 1))
    queue.clear()
    assert queue.records == 0
    assert queue.take([0], 10, 10).records == [[]]


deliveries = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 12)).map(lambda t: (t[0], t[0] + t[1])),
    max_size=12,
)


@given(deliveries, st.integers(1, 9), st.integers(1, 6))
def test_any_redelivery_in_any_batches_is_taken_once(spans, max_records, max_bytes) -> None:
    queue = RecordQueue(1, 1_000)
    expected = 0
    for start, stop in spans:
        # Kafka delivers without holes: a fetch starts at or before the end of the one before.
        start = min(start, expected)
        if stop > start:
            queue.put(0, fetch(*range(start, stop)))
            expected = max(expected, stop)
    following, seen = [0], []
    while queue.records:
        taken = queue.take(following, max_records, max_bytes)
        assert taken.gaps == []
        assert len(taken.records[0]) <= max_records
        seen += offsets(taken.records[0])
        following = taken.next
    assert seen == list(range(expected))
    assert queue.records == 0


def test_topics_are_taken_together_in_the_order_of_time() -> None:
    """A backlog of few purchases would run days ahead of the clicks of the same time."""
    queue = RecordQueue(2, 1_000)
    queue.put(0, [Rec(n, timestamp=n) for n in range(60)])
    queue.put(1, [Rec(n, timestamp=n * 10) for n in range(10)])
    taken = queue.take([0, 0], 22, 1_000)
    assert [offsets(topic) for topic in taken.records] == [list(range(20)), [0, 1]]
    rest = queue.take(taken.next, 1_000, 1_000)
    assert [len(topic) for topic in rest.records] == [40, 8]


def test_a_topic_alone_has_the_whole_round() -> None:
    queue = RecordQueue(2, 1_000)
    queue.put(0, fetch(*range(60)))
    assert len(queue.take([0, 0], 50, 1_000).records[0]) == 50


def test_a_record_whose_time_is_behind_the_one_before_does_not_hold_its_topic_up() -> None:
    queue = RecordQueue(2, 1_000)
    queue.put(0, [Rec(n, timestamp=time) for n, time in enumerate([50, 0, 0, 0])])
    queue.put(1, [Rec(n, timestamp=n) for n in range(9)])
    taken = queue.take([0, 0], 10, 1_000)
    assert [len(topic) for topic in taken.records] == [1, 9]
