"""Both ways in which a disk is made full, seen by a program that writes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from support.disk import Disk, FileLimit, small_disk

#: Writes a file for each line it is told, and says how it went.
WRITER = """
import signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for line in sys.stdin:
    try:
        with open(line.strip(), "wb") as file:
            file.write(b"x" * 100_000)
        print("written", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""


class Writer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = count()
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def write(self) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{self.folder}/file-{next(self._files)}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path / "disk")
    yield made
    with made.process:
        made.process.kill()


def check(disk: Disk, writer: Writer, refusal: str) -> None:
    assert writer.write() == "written"
    disk.fill()
    assert writer.write() == refusal
    disk.free()
    assert writer.write() == "written"


def test_a_small_disk_is_full_and_free_again_and_gone_in_the_end(
    writer: Writer, tmp_path: Path
) -> None:
    with small_disk(writer.folder, 1) as disk:
        if disk is None:
            pytest.skip("only root may mount")
        check(disk, writer, "No space left on device")
    assert not writer.folder.is_mount()


def test_a_limited_process_writes_nothing_until_the_limit_is_lifted(writer: Writer) -> None:
    writer.folder.mkdir()
    check(FileLimit(lambda: writer.process.pid), writer, "File too large")
