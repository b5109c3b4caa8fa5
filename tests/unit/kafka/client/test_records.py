"""Records that are read are what aiokafka's own are, of one by one and of whole fetches."""

from __future__ import annotations

import gc
import struct

import pytest
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBase as Format
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.client.batch import CompressedBatch
from stream_app.kafka.client.records import Record, register
from stream_app.kafka.client.writer import Outgoing

PART = TopicPartition("clicks", 3)
HEADERS = st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=2)
OUTGOING = st.builds(Outgoing, st.binary(max_size=8), st.none() | st.binary(max_size=40), HEADERS)


KINDS = ["plain", "transactional", "commit", "abort"]
MARKERS = {"abort": 0, "commit": 1}


def made(kind: str, producer: int, offset: int, count: int) -> bytes:
    """A batch as it is in the log; of a marker, the one record says what it marks."""
    filled = BatchBuilder(10_000, 0, is_transactional=kind != "plain")
    key = struct.pack(">hh", 0, MARKERS[kind]) if kind in MARKERS else b"k"
    for n in range(count):
        filled.append(timestamp=1_700_000_000_000, key=key, value=b"%d" % n, headers=[])
    filled._set_producer_state(producer, 0, 0)
    built = filled._build()
    struct.pack_into(">q", built, 0, offset)
    if kind in MARKERS:
        built[Format.ATTRIBUTES_OFFSET + 1] |= Format.CONTROL_MASK
        check = calc_crc32c(memoryview(built)[Format.ATTRIBUTES_OFFSET :])
        struct.pack_into(">I", built, Format.CRC_OFFSET, check)
    return bytes(built)


class Assignment:
    """Of one partition, as a fetch asks for it."""

    active = True
    paused = False

    def __init__(self, position: int) -> None:
        self.position = position

    def state_value(self, tp: TopicPartition) -> Assignment:
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def fetch(
    written: bytes, aborted: list[tuple[int, int]], first: int, committed: bool
) -> FetchResult:
    records = PartitionRecords(
        PART, MemoryRecords(written), aborted, first, None, None, True, int(committed)
    )
    assignment = Assignment(first)
    return FetchResult(PART, assignment=assignment, partition_records=records, backoff=0)


def batch(size: int = 10_000) -> CompressedBatch:
    return CompressedBatch(size, None)


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
    assert filled.fill(written) is None
    got = read(bytes(filled._build()))
    assert [Outgoing(r.key, r.value, list(r.headers)) for r in got] == written
    assert [r.offset for r in got] == list(range(len(written)))
    assert {(type(r), r.topic, r.partition) for r in got} == {(Record, "clicks", 3)}


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 2), st.integers(1, 4)), max_size=8),
    st.integers(0, 12),
    st.booleans(),
)
def test_a_whole_fetch_is_what_one_by_one_makes_of_it(
    batches: list[tuple[str, int, int]], first: int, committed: bool
) -> None:
    register()
    written, aborted, offset = b"", [], 0
    for kind, producer, count in batches:
        written += made(kind, producer, offset, 1 if kind in MARKERS else count)
        if kind == "transactional" and producer == 1:
            aborted.append((producer, offset))
        offset += count
    one, other = (fetch(written, aborted, first, committed) for _ in range(2))
    found = one.getall()
    assert found == other.getall(max_records=1_000)
    assert one._assignment.position == other._assignment.position
    assert not one.has_more()


def test_nothing_of_a_fetch_waits_for_the_collector() -> None:
    register()
    one = fetch(made("transactional", 1, 0, 5) + made("abort", 1, 5, 1), [], 0, committed=True)
    gc.collect()
    gc.disable()
    try:
        one.getall()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_of_a_fetch_taken_in_part_the_rest_comes() -> None:
    register()
    one = fetch(made("plain", 1, 0, 5) + made("plain", 1, 5, 3), [], 2, committed=True)
    assert [r.offset for r in one.getall(max_records=2)] == [2, 3]
    assert [r.offset for r in one.getall()] == [4, 5, 6, 7]
    assert not one.has_more()


def test_a_fetch_whose_partition_went_on_elsewhere_is_dropped() -> None:
    register()
    one = fetch(made("plain", 1, 0, 5), [], 0, committed=True)
    one._assignment.position = 3
    assert one.getall() == []
    assert not one.has_more()


def test_a_damaged_batch_is_refused() -> None:
    register()
    good, bad = made("plain", 1, 0, 2), bytearray(made("plain", 1, 2, 2))
    bad[-1] ^= 1
    with pytest.raises(CorruptRecordException):
        fetch(good + bytes(bad), [], 0, committed=True).getall()


def test_who_decodes_is_left_alone() -> None:
    register()
    filled = batch()
    filled.fill([Outgoing(b"k", b"v")])
    (got,) = read(bytes(filled._build()), value_deserializer=bytes.decode)
    assert type(got) is not Record
    assert got.value == "v"
