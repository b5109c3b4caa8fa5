"""A local store in memory that can lose its last batches, as RocksDB does in a crash."""

from __future__ import annotations

from collections.abc import Sequence

Pairs = list[tuple[bytes, bytes]]


class FakeShelf:
    """Keeps every batch; `reads` are the numbers of keys of each read."""

    def __init__(self, batches: Sequence[Pairs] = ()) -> None:
        self.batches = [list(batch) for batch in batches]
        self.values = {key: value for batch in self.batches for key, value in batch}
        self.durable = len(self.batches)
        self.reads: list[int] = []
        self.closed = False

    def read(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self.reads.append(len(keys))
        return [self.values.get(key) for key in keys]

    def write(self, pairs: Sequence[tuple[bytes, bytes]]) -> None:
        self.batches.append(list(pairs))
        self.values.update(pairs)

    def flush(self, *, wait: bool = True) -> None:
        if wait:
            self.durable = len(self.batches)

    def close(self) -> None:
        self.closed = True

    def crashed(self, kept: float) -> FakeShelf:
        """What is left: all that was flushed, and a share of the batches since."""
        since = len(self.batches) - self.durable
        return FakeShelf(self.batches[: self.durable + round(since * kept)])
