"""Records that are read, and batches that are filled, are what aiokafka's own are."""

from __future__ import annotations

from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.client.records import Record, fill, register
from stream_app.kafka.client.writer import Outgoing

PART = TopicPartition("clicks", 3)
HEADERS = st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=2)
OUTGOING = st.builds(Outgoing, st.binary(max_size=8), st.none() | st.binary(max_size=40), HEADERS)


def batch(size: int = 10_000) -> BatchBuilder:
    return BatchBuilder(size, 0, is_transactional=False)


def read(written: bytes, **deserializers: object) -> list[Record]:
    options = {"key_deserializer": None, "value_deserializer": None} | deserializers
    return list(
        PartitionRecords(
            PART, MemoryRecords(written), None, 0, check_crcs=True, isolation_level=0, **options
        )
    )


@given(st.lists(OUTGOING, min_size=1, max_size=20))
def test_what_is_filled_is_read(written: list[Outgoing]) -> None:
    register()
    filled = batch()
    assert fill(filled, written) is None
    got = read(bytes(filled._build()))
    assert [Outgoing(r.key, r.value, list(r.headers)) for r in got] == written
    assert [r.offset for r in got] == list(range(len(written)))
    assert {(type(r), r.topic, r.partition) for r in got} == {(Record, "clicks", 3)}


@given(st.lists(OUTGOING, max_size=30), st.integers(100, 400))
def test_a_batch_takes_as_many_as_by_appending_one_by_one(
    written: list[Outgoing], size: int
) -> None:
    filled, appended = batch(size), batch(size)
    left = iter(written)
    refused = fill(filled, left)
    count = 0
    for key, value, headers in written:
        if appended.append(timestamp=None, key=key, value=value, headers=headers) is None:
            break
        count += 1
    assert ([] if refused is None else [refused]) + list(left) == written[count:]
    assert filled.size() == appended.size()
    if refused is not None:
        # Closed: a batch that refused one takes no smaller one either.
        assert filled.append(timestamp=None, key=b"", value=b"") is None


def test_time_is_that_of_writing() -> None:
    register()
    filled, appended = batch(), batch()
    fill(filled, [Outgoing(b"k", b"v")])
    appended.append(timestamp=None, key=b"k", value=b"v")
    (one,), (other,) = read(bytes(filled._build())), read(bytes(appended._build()))
    assert 0 <= other.timestamp - one.timestamp < 60_000


def test_who_decodes_is_left_alone() -> None:
    register()
    filled = batch()
    fill(filled, [Outgoing(b"k", b"v")])
    (got,) = read(bytes(filled._build()), value_deserializer=bytes.decode)
    assert type(got) is not Record
    assert got.value == "v"
