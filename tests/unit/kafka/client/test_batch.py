from __future__ import annotations

import threading
from typing import Any

import pytest
from aiokafka.codec import zstd_encode
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBase as Format
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.client.batch import BESIDE_BYTES, CODECS, CompressedBatch, compress
from stream_app.kafka.client.writer import Outgoing

Records = list[tuple[bytes, bytes | None]]

HEADERS = st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=2)
OUTGOING = st.builds(Outgoing, st.binary(max_size=8), st.none() | st.binary(max_size=40), HEADERS)
RECORDS = st.lists(
    st.tuples(st.binary(max_size=8), st.none() | st.binary(max_size=60)), min_size=1, max_size=20
)


def filled(batch: BatchBuilder, records: Records) -> Any:
    for key, value in records:
        assert batch.append(timestamp=1_700_000_000_000, key=key, value=value) is not None
    return batch


def read(built: bytes | bytearray) -> DefaultRecordBatch:
    batch = DefaultRecordBatch(bytes(built))
    assert batch.validate_crc()
    return batch


@pytest.mark.parametrize("compression", [*CODECS, None])
@given(records=RECORDS)
def test_it_is_what_the_client_itself_would_send(compression: str | None, records: Records) -> None:
    number = CODECS[compression] if compression else 0
    theirs = filled(BatchBuilder(4_096, number, is_transactional=True), records)
    theirs._set_producer_state(7, 3, 41)
    ours = filled(CompressedBatch(4_096, compression), records)
    ours.compress()
    ours._set_producer_state(7, 3, 41)
    one, other = read(ours._build()), read(theirs._build())
    for field in (
        "base_offset",
        "magic",
        "is_transactional",
        "is_control_batch",
        "last_offset_delta",
        "first_timestamp",
        "max_timestamp",
        "producer_id",
        "producer_epoch",
        "base_sequence",
    ):
        assert getattr(one, field) == getattr(other, field)
    assert [(r.offset, r.timestamp, r.key, r.value) for r in one] == [
        (r.offset, r.timestamp, r.key, r.value) for r in other
    ]


def test_zstd_works_at_its_quickest_level() -> None:
    records: Records = [(b"key %d" % n, b"value %d" % (n % 7)) for n in range(500)]
    plain, small = (filled(CompressedBatch(65_536, name), records) for name in (None, "zstd"))
    body = Format.HEADER_STRUCT.size
    assert small._build()[body:] == zstd_encode(bytes(plain._build()[body:]), level=1)


def test_it_takes_nothing_once_it_is_compressed() -> None:
    batch = filled(CompressedBatch(4_096, "zstd"), [(b"k", b"v" * 1_000)])
    batch.compress()
    assert batch.append(timestamp=1, key=b"k", value=b"v") is None
    assert (batch.record_count(), batch.size()) == (1, len(batch._build()))


async def test_large_batches_leave_the_loop_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: dict[int, threading.Thread] = {}

    def noted(batch: CompressedBatch) -> None:
        threads[batch.record_count()] = threading.current_thread()

    monkeypatch.setattr(CompressedBatch, "compress", noted)
    value = b"v" * (BESIDE_BYTES // 2)
    small = filled(CompressedBatch(2 * BESIDE_BYTES, "zstd"), [(b"k", value)])
    large = filled(CompressedBatch(2 * BESIDE_BYTES, "zstd"), [(b"k", value)] * 2)
    await compress([small])
    await compress([large])
    assert threads[1] is threading.main_thread()
    assert threads[2] is not threading.main_thread()


@given(st.lists(OUTGOING, max_size=30), st.integers(100, 400))
def test_a_batch_takes_as_many_as_by_appending_one_by_one(
    written: list[Outgoing], size: int
) -> None:
    filled, appended = CompressedBatch(size, None), CompressedBatch(size, None)
    left = iter(written)
    refused = filled.fill(left)
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
    filled, appended = (CompressedBatch(4_096, None) for _ in range(2))
    filled.fill([Outgoing(b"k", b"v")])
    appended.append(timestamp=None, key=b"k", value=b"v")
    (one,), (other,) = (list(read(batch._build())) for batch in (filled, appended))
    assert 0 <= other.timestamp - one.timestamp < 60_000
