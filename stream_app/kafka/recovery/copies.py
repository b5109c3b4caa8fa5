"""A copy of a partition's state on its way through the changelog."""

from __future__ import annotations

import logging
from typing import Final

from stream_app.engine.catalogue import Program
from stream_app.engine.changelog import META, STORE, Loader
from stream_app.kafka.recovery.local import Local, Stores
from stream_app.kafka.recovery.reader import Pair, Place, Reader

log = logging.getLogger(__name__)


class Copy:
    """What the records of a changelog before `offset` say; None: nothing yet.

    With a local store the rows lie there.
    """

    def __init__(
        self, program: Program, number: int, partitions: int, local: Local | None = None
    ) -> None:
        """Begin with nothing, or where `local` stands."""
        self.program: Final = program
        self.number: Final = number
        self._partitions = partitions
        self._local = local
        self.loader = local.loader if local else Loader(program, number, partitions)
        mark = local.mark if local else None
        self.offset = mark.offset if mark else None
        #: What lies there, or is the last record before.
        self._proof = Place(mark.offset, (META, mark.meta)) if mark else None
        #: Where it stands because it was read up to there, and not because a store says so.
        self._followed = False

    @property
    def stands(self) -> str:
        """What it is that stands somewhere; empty where nothing was read yet."""
        if self._proof is None:
            return ""
        return "standby copy" if self._followed else "local store"

    def add(self, pairs: list[Pair], offset: int, last: Place | None) -> None:
        """Take the records that follow, up to `offset`; `last` is the last of them."""
        self.loader.add(pairs)
        self.offset, self._followed = offset, True
        self._proof = last or self._proof

    async def begin(self, reader: Reader) -> int:
        """Have `reader` go on where this stands, or, in another changelog, at its first record.

        Returns where that is.
        """
        first, end = await reader.bounds()
        if self.offset is None or not await self._is_of(reader, first, end):
            if self._proof is not None:
                self.begin_anew(f"{reader.changelog.topic} does not have what it was begun with")
            self.offset = first
        reader.go_to(self.offset)
        return self.offset

    async def _is_of(self, reader: Reader, first: int, end: int) -> bool:
        """Whether it is of this changelog, and not of one that was deleted and made anew.

        That does not have the same in its place, nor the record that a store wrote when it was
        begun. Nor has one where another store's superseded it, and it was compacted away: then
        nothing tells whose it is.
        """
        proof, offset = self._proof, self.offset
        if proof is None or offset is None or not first <= offset <= end:
            return False
        if not self._followed and self._local is not None:
            name = self._local.name
            if name.offset is None or not first <= name.offset < offset + 2 <= end:
                return False
            if await reader.record_at(name.offset) != (STORE, name.text.encode()):
                return False
        # It may have been superseded and compacted away.
        return await reader.record_at(proof.offset) in (None, proof.record)

    @property
    def is_whole(self) -> bool:
        """Whether all users that were deleted are gone, after the last record.

        Of one that did not follow for a day, compaction may have taken deletions away. The last
        commit says how many users are left.
        """
        meta = self.loader.meta
        users = None if meta is None else meta.users
        return users in (None, len(self.loader.profiles))

    def begin_anew(self, why: str) -> None:
        """Begin with nothing."""
        self.offset, self._followed, self._proof = None, False, None
        if self._local is not None:
            self.loader = self._local.anew(why)
        else:
            log.info("Partition %d: its copy begins anew: %s", self.number, why)
            self.loader = Loader(self.program, self.number, self._partitions)

    def close(self) -> None:
        """Let go of it."""
        list(self.loader.profiles.leave(settled=False))


async def open_copy(stores: Stores | None, program: Program, number: int, partitions: int) -> Copy:
    """Begin with nothing, or where the local store of the partition stands. Raises Fatal."""
    local = await stores.open(program, number, partitions) if stores else None
    return Copy(program, number, partitions, local)
