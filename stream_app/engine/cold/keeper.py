"""Who keeps the local store near the changelog, as the profiles know him."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class Mark(NamedTuple):
    """A place in the changelog: the offset of a round's `\\0meta`, and its value."""

    offset: int
    meta: bytes


class Keeper(Protocol):
    """Keeps the store near the changelog; `checkpoint.Checkpoints` does."""

    def introduction(self) -> list[tuple[bytes, bytes]]: ...
    def committed(self, mark: Mark | None) -> None: ...
    def finish(self) -> Iterator[int]: ...
