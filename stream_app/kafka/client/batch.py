"""Batches that are filled at once, and compressed beside the loop where they are large.

With aiokafka each record passes three functions of Python on its way into a batch, and batches are
compressed while the request is written, in the loop: a tenth of a worker's time. Compressing needs
no interpreter, so that a thread does it while others fold.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from aiokafka import codec
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBase as Format
from aiokafka.record.util import calc_crc32c

Encode = Callable[[Any], bytes]
#: Key, value and headers of a record to write.
Written = TypeVar(
    "Written", bound=tuple[bytes, bytes | memoryview | None, Sequence[tuple[str, bytes]]]
)

#: Number and encoder of each codec, by its name.
CODECS: Final[Mapping[str, tuple[int, Encode]]] = {
    "gzip": (Format.CODEC_GZIP, codec.gzip_encode),
    "snappy": (Format.CODEC_SNAPPY, codec.snappy_encode),
    # Takes no view.
    "lz4": (Format.CODEC_LZ4, lambda records: codec.lz4_encode(bytes(records))),
    # At level 3, which is the default, a round is 1 % smaller and takes a third longer.
    "zstd": (Format.CODEC_ZSTD, partial(codec.zstd_encode, level=1)),
}
#: Fewer bytes are compressed at once: handing them to a thread takes longer.
BESIDE_BYTES: Final = 65_536

#: One thread: what several compress at once would all be held at once.
_BESIDE: Final = ThreadPoolExecutor(1, "compress")

_HEADER: Final = Format.HEADER_STRUCT
#: Places in the header of a batch (Kafka protocol, "Record Batch", magic 2).
_LENGTH, _ATTRIBUTES = 1, 5
_PRODUCER: Final = struct.Struct(">qhi")
_PRODUCER_AT: Final = struct.calcsize(">qiibIhiqq")


class CompressedBatch(BatchBuilder):
    """A batch of a transaction, of at most `size` bytes before it is compressed.

    `compression` is a name in `CODECS`, or None.
    """

    _buffer: bytearray | None
    _relative_offset: int

    def __init__(self, size: int, compression: str | None) -> None:
        super().__init__(size, Format.CODEC_NONE, is_transactional=True)
        self._codec = CODECS.get(compression or "")

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
        plain = super()._build()
        if self._codec is None:
            return
        number, encode = self._codec
        # A view: a copy more of all that waits would be the most that a worker holds.
        records = encode(memoryview(plain)[_HEADER.size :])
        header = list(_HEADER.unpack_from(plain))
        header[_LENGTH] = _HEADER.size - Format.AFTER_LEN_OFFSET + len(records)
        header[_ATTRIBUTES] |= number
        if len(records) < len(plain) - _HEADER.size:
            self._buffer = bytearray(_HEADER.pack(*header) + records)

    def _set_producer_state(self, producer_id: int, epoch: int, sequence: int) -> None:
        if self._buffer is None:
            self.compress()
        assert self._buffer is not None
        _PRODUCER.pack_into(self._buffer, _PRODUCER_AT, producer_id, epoch, sequence)
        check = calc_crc32c(memoryview(self._buffer)[Format.ATTRIBUTES_OFFSET :])
        struct.pack_into(">I", self._buffer, Format.CRC_OFFSET, check)


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
