"""Batches that are filled at once, and compressed beside the loop where they are large.

With aiokafka each record passes three functions of Python on its way into a batch, and batches are
compressed while the request is written, in the loop: a tenth of a worker's time. Compressing needs
no interpreter, so that a thread does it while others fold.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from aiokafka import codec
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record._crecords import default_records
from aiokafka.record.default_records import DefaultRecordBase as Format
from aiokafka.record.util import calc_crc32c

#: Key, value and headers of a record to write.
Written = TypeVar(
    "Written", bound=tuple[bytes, bytes | memoryview | None, Sequence[tuple[str, bytes]]]
)

#: Numbers of the codecs by name.
CODECS: Final = {
    "gzip": Format.CODEC_GZIP,
    "snappy": Format.CODEC_SNAPPY,
    "lz4": Format.CODEC_LZ4,
    "zstd": Format.CODEC_ZSTD,
}
#: At level 3, aiokafka's, a round has 1 % fewer bytes and takes a third longer.
_ZSTD_LEVEL: Final = 1
#: Fewer bytes are compressed at once: handing them to a thread takes longer.
BESIDE_BYTES: Final = 65_536

#: One thread: what several compress at once would all be held at once.
_BESIDE: Final = ThreadPoolExecutor(1, "compress")

#: Id, epoch and base sequence of the producer in the header (Kafka protocol, "Record Batch").
_PRODUCER: Final = struct.Struct(">qhi")
_PRODUCER_AT: Final = struct.calcsize(">qiibIhiqq")

if not callable(getattr(default_records, "zstd_encode", None)):
    raise RuntimeError("this aiokafka compresses otherwise; use a version from the lock file")
default_records.zstd_encode = partial(codec.zstd_encode, level=_ZSTD_LEVEL)


class CompressedBatch(BatchBuilder):
    """A batch of a transaction, of at most `size` bytes before it is compressed.

    `compression` is a name in `CODECS`, or None.
    """

    _relative_offset: int

    def __init__(self, size: int, compression: str | None) -> None:
        number = CODECS[compression] if compression else Format.CODEC_NONE
        super().__init__(size, number, is_transactional=True)

    def fill(self, records: Iterable[Written]) -> Written | None:
        """Add records until one does not fit, close, and return that one; None where all fit.

        Does what `append` does for each, whose timestamp is now.
        """
        append, offset = self._builder.append, self._relative_offset
        left = None
        for record in records:
            key, value, headers = record
            if append(offset, None, key, value, headers) is None:
                self.close()
                left = record
                break
            offset += 1
        self._relative_offset = offset
        return left

    def compress(self) -> None:
        """Close the batch; what it takes afterwards is its producer, when it is sent."""
        self._build()

    def _set_producer_state(self, producer_id: int, epoch: int, sequence: int) -> None:
        built = self._build()
        _PRODUCER.pack_into(built, _PRODUCER_AT, producer_id, epoch, sequence)
        check = calc_crc32c(memoryview(built)[Format.ATTRIBUTES_OFFSET :])
        struct.pack_into(">I", built, Format.CRC_OFFSET, check)


async def compress(batches: Iterable[CompressedBatch]) -> None:
    """Compress batches that nobody uses meanwhile."""
    given = list(batches)

    def work() -> None:
        for batch in given:
            batch.compress()

    if sum(batch.size() for batch in given) < BESIDE_BYTES:
        work()
    else:
        await asyncio.get_running_loop().run_in_executor(_BESIDE, work)
