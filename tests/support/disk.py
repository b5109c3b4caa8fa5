"""A disk that can be full: a small one of its own where rights allow, else a limit on files."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from stream_app.kafka.embedded.process import launch

#: Mounts "$1" and unmounts it when it is told to end, as it is when the tests have died.
_MOUNT: Final = """
# First, because as soon as it is mounted who waited for that may end this.
trap 'test -z "$!" || kill $!; umount -l "$1"; exit 0' TERM
mount -t tmpfs -o size="$2" tmpfs "$1" || exit 1
sleep infinity &
wait
"""
_SECONDS: Final = 10.0


class Disk(Protocol):
    """Where a broker's data lies."""

    def fill(self) -> None:
        """From now on nothing can be written."""

    def free(self) -> None:
        """There is space again."""


class SmallDisk:
    """A mounted folder of little space."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        with self._filler.open("wb", buffering=0) as filler:
            for size in (2**20, 2**12):
                with contextlib.suppress(OSError):
                    while True:
                        filler.write(bytes(size))

    def free(self) -> None:
        self._filler.unlink()


class FileLimit:
    """A process that may write to no file: each of its writes fails (EFBIG instead of ENOSPC).

    It needs no rights. A program started afterwards has space again.
    """

    def __init__(self, pid: Callable[[], int]) -> None:
        self._pid = pid

    def fill(self) -> None:
        self._limit(0)

    def free(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        # The hard limit stays, so that anybody may lift the soft one again.
        _, hard = resource.prlimit(self._pid(), resource.RLIMIT_FSIZE)
        resource.prlimit(self._pid(), resource.RLIMIT_FSIZE, (size, hard))


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk | None]:
    """Mount a disk of that size on `folder`; None where this process may not mount."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder.with_name(folder.name + ".mount.log")
    command = ("sh", "-c", _MOUNT, "sh", str(folder), f"{megabytes}m")
    holder = launch(command, log, {}, bound=True)
    try:
        deadline = time.monotonic() + _SECONDS
        while not folder.is_mount() and holder.exit_code is None:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.01)
        yield SmallDisk(folder) if folder.is_mount() else None
    finally:
        if holder.exit_code is None:
            os.kill(holder.pid, signal.SIGTERM)
        holder.reap(_SECONDS)


@contextmanager
def disk_for(folder: Path, megabytes: int, pid: Callable[[], int]) -> Iterator[Disk]:
    """A small disk on `folder`, or else a limit on the process that writes there."""
    with small_disk(folder, megabytes) as disk:
        yield disk or FileLimit(pid)
