"""The local stores of a worker: opened for a partition, continued from, or begun anew."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stream_app.engine.catalogue import Program
from stream_app.engine.changelog import Loader
from stream_app.engine.cold.checkpoint import Checkpoints, Name, Owner, Unusable, loading
from stream_app.engine.cold.keeper import Mark
from stream_app.engine.cold.profiles import ColdProfiles
from stream_app.engine.cold.room import Room
from stream_app.engine.cold.shelf import ShelfError
from stream_app.kafka.errors import Fatal, Refusal

if TYPE_CHECKING:
    from stream_app.engine.cold.rocks import Memory, RocksShelf

log = logging.getLogger(__name__)


class Local:
    """One partition's store while it is restored.

    Once `opening` is through, and where `mark` is not None, `loader` has what the store held, and
    the changelog is to be read on from there; when it does not have the record that `name` tells
    of, `anew` begins with nothing.
    """

    loader: Loader

    def __init__(self, shelf: RocksShelf, program: Program, owner: Owner, room: Room) -> None:
        self.mark: Mark | None = None
        self.name = _new_name()
        self._shelf, self._program, self._owner, self._room = shelf, program, owner, room

    def opening(self) -> Generator[int, None, None]:
        """Load what is there; yields now and then, to let others work. Raises ShelfError."""
        try:
            found = yield from loading(self._shelf, self._program, self._owner, self._room)
        except (Unusable, ValueError) as error:
            self._begin(str(error))
        else:
            self.mark, self.name = found.mark, found.name
            self.loader = self._load(found.profiles, known=found.profiles.extent)

    def _who(self) -> tuple[Program, int, int]:
        return self._program, self._owner.number, self._owner.partitions

    def _load(self, profiles: ColdProfiles, known: int) -> Loader:
        profiles.keeper = Checkpoints(profiles, self._owner, self.name, known=known)
        return Loader(*self._who(), profiles)

    def anew(self, why: str) -> Loader:
        """Begin with nothing."""
        self._room.leave()
        self._begin(why)
        return self.loader

    def _begin(self, why: str) -> None:
        log.info("Partition %d: its local store begins anew: %s", self._owner.number, why)
        self._shelf.clear()
        self.mark, self.name = None, _new_name()
        self.loader = self._load(ColdProfiles(*self._who(), self._shelf, self._room), known=0)


def _new_name() -> Name:
    return Name(secrets.token_hex(16))


class Stores:
    """The stores of a worker below `folder`, whose partitions share `rows` rows in memory."""

    def __init__(self, folder: Path, changelog: str, rows: int) -> None:
        self._folder: Final = folder
        self._changelog = changelog
        self._room = Room(rows)
        self._closed: dict[int, asyncio.Event] = {}
        #: Held by who opens one: it takes a tenth of a second, and all partitions come at once.
        self._opening = asyncio.Lock()
        self._memory: Memory | None = None

    async def open(self, program: Program, number: int, partitions: int) -> Local:
        """Open a partition's store, once this process has closed it.

        Raises Refusal where another process has it, Fatal where it cannot be made.
        """
        while number in self._closed:
            await self._closed[number].wait()
        closed = self._closed[number] = asyncio.Event()

        def forget() -> None:
            self._closed.pop(number, None)
            closed.set()

        try:
            async with self._opening:
                await asyncio.sleep(0)
                shelf = self._shelf(number, forget)
                owner = Owner(self._changelog, number, partitions)
                return await _opened(Local(shelf, program, owner, self._room), shelf)
        except BaseException:
            forget()
            raise

    def _shelf(self, number: int, closed: Callable[[], None]) -> RocksShelf:
        # Imported here: who keeps everything in memory needs no RocksDB.
        from stream_app.engine.cold.rocks import Locked, Memory, RocksShelf

        self._memory = self._memory or Memory()
        try:
            return RocksShelf(self._folder / str(number), self._memory, closed)
        except Locked as error:
            raise Refusal(str(error)) from error
        except (ShelfError, OSError) as error:
            raise Fatal(f"no local store: {error}") from error


async def _opened(local: Local, shelf: RocksShelf) -> Local:
    """Load what is there while others go on; whatever goes wrong, `shelf` is closed."""
    try:
        with closing(local.opening()) as steps:
            for _ in steps:
                await asyncio.sleep(0)
    except BaseException:
        shelf.close()
        raise
    return local
