"""The local store as RocksDB keeps it: one column family, no write-ahead log.

The changelog is the log. RocksDB makes its buffers durable one after the other, each as a whole and
in the order of writing, and a batch never lies across two: after a crash the state is that after
one of the batches, which is what `Shelf` promises. https://github.com/facebook/rocksdb/wiki
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from stream_app.engine.cold.shelf import ShelfError

#: What all stores of a process take together: blocks read lately, and what waits to be written.
_CACHE_BYTES: Final = 32 << 20
_BUFFER_BYTES: Final = 64 << 20
_BUFFER: Final = 16 << 20
#: Small: each read of a row unpacks a block.
_BLOCK: Final = 4_096
_BLOOM_BITS: Final = 10
_FILE_BYTES: Final = 64 << 20
_JOBS: Final = 2
#: Left in the folder of a store that failed while it was used.
_BROKEN: Final = "BROKEN"


class Locked(ShelfError):
    """Another process uses the store."""


class Memory:
    """What the stores of a process share."""

    def __init__(self) -> None:
        self.cache: Final = Cache(_CACHE_BYTES)
        self.buffers: Final = WriteBufferManager(_BUFFER_BYTES, False)


class RocksShelf:
    """A `Shelf` in `folder`, which only one process may have open.

    One that failed while it was used, or that cannot be opened, begins anew: it is a copy.
    """

    def __init__(
        self, folder: Path, memory: Memory, closed: Callable[[], None] = lambda: None
    ) -> None:
        """Open it; `closed` is called when it is closed."""
        self.folder = folder
        self._closed = closed
        if (folder / _BROKEN).exists():
            _remove(folder)
        #: Nothing lies there yet.
        self._fresh = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        self._options = _options(memory)
        self._unlogged = WriteOptions()
        # Its annotation says method.
        self._unlogged.disable_wal = True  # type: ignore[assignment, method-assign]
        try:
            self._db = self._open()
        except Locked:
            raise
        except ShelfError:
            _remove(folder)
            self._db = self._open()

    def _open(self) -> Rdict:
        try:
            return Rdict(str(self.folder), self._options)
        except Exception as error:
            if "lock" in str(error).lower():
                raise Locked(
                    f"{self.folder} is used by another process: give each worker a state_dir of "
                    "its own"
                ) from error
            raise ShelfError(f"{self.folder} cannot be opened: {error}") from error

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of keys, None where there is none."""
        try:
            return list(self._db.get(list(keys)) or []) if keys else []
        except Exception as error:
            raise self._failed("reading", error) from error

    def write(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        """Write all pairs or none."""
        self._fresh = False
        try:
            batch = WriteBatch(raw_mode=True)
            put = batch.put
            for key, value in pairs:
                put(key, value)
            self._db.write(batch, self._unlogged)
        except Exception as error:
            raise self._failed("writing", error) from error

    def flush(self, *, wait: bool = True) -> None:
        """Make all that was written durable; without `wait` beside whatever comes next."""
        try:
            self._db.flush(wait)
        except Exception as error:
            raise self._failed("flushing", error) from error

    def clear(self) -> None:
        """Begin anew with nothing."""
        if self._fresh:
            return
        self._db.close()
        _remove(self.folder)
        self.folder.mkdir(parents=True)
        self._db = self._open()
        self._fresh = True

    def close(self) -> None:
        """Let go of the folder."""
        # Whatever had to be durable has been flushed.
        with suppress(Exception):
            self._db.close()
        self._closed()

    def _failed(self, doing: str, error: Exception) -> ShelfError:
        # Where there is no room for a note, what can be opened is what was durable before.
        with suppress(OSError):
            (self.folder / _BROKEN).touch()
        return ShelfError(
            f"{doing} {self.folder} failed: {error}. It is a copy of the changelog, and the next "
            "start makes it anew"
        )


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _options(memory: Memory) -> Options:
    table = BlockBasedOptions()
    table.set_block_size(_BLOCK)
    table.set_bloom_filter(_BLOOM_BITS, False)
    table.set_block_cache(memory.cache)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    # Values are packed already.
    options.set_compression_type(DBCompressionType.none())
    options.set_write_buffer_manager(memory.buffers)
    options.set_write_buffer_size(_BUFFER)
    options.set_max_write_buffer_number(3)
    options.set_target_file_size_base(_FILE_BYTES)
    options.set_max_background_jobs(_JOBS)
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(1 << 20)
    return options
