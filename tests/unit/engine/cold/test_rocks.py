"""RocksDB as a `Shelf`: what is read back, what a crash leaves, and who may use a folder."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from stream_app.engine.cold.rocks import Locked, Memory, RocksShelf
from stream_app.engine.cold.shelf import ShelfError

WRITER = """
import sys
from pathlib import Path
from stream_app.engine.cold.rocks import Memory, RocksShelf
shelf = RocksShelf(Path(sys.argv[1]), Memory())
number = 0
while True:
    number += 1
    text = b"%d" % number
    shelf.write([(b"first", text), (b"%d" % (number % 997), text * 300), (b"last", text)])
    if number % 9_000 == 0:
        shelf.flush()
        print(number, flush=True)
"""


def test_what_was_written_is_read_in_the_order_asked_for(tmp_path):
    shelf = RocksShelf(tmp_path / "store", Memory())
    shelf.write([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")])
    assert shelf.read([b"b", b"c", b"a", b"b"]) == [b"2", None, b"3", b"2"]
    assert shelf.read([]) == []
    shelf.close()


def test_what_was_flushed_is_there_after_closing(tmp_path):
    memory = Memory()
    shelf = RocksShelf(tmp_path, memory)
    shelf.write([(b"a", b"1")])
    shelf.flush()
    shelf.close()
    shelf = RocksShelf(tmp_path, memory)
    assert shelf.read([b"a"]) == [b"1"]
    shelf.clear()
    assert shelf.read([b"a"]) == [None]
    shelf.close()


def test_a_killed_writer_leaves_the_state_after_one_of_its_batches(tmp_path):
    writing = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writing.stdout is not None
        flushed = [int(writing.stdout.readline()) for _ in range(2)][-1]
    finally:
        writing.send_signal(signal.SIGKILL)
        writing.wait()
    shelf = RocksShelf(tmp_path, Memory())
    first, last = shelf.read([b"first", b"last"])
    number = int(last or 0)
    assert first == last
    assert number >= flushed
    for key in range(997):
        latest = number - (number - key) % 997
        assert shelf.read([b"%d" % key]) == [b"%d" % latest * 300]
    shelf.close()


def test_two_do_not_use_one_folder(tmp_path):
    shelf = RocksShelf(tmp_path, Memory())
    with pytest.raises(Locked, match="give each worker a state_dir of its own"):
        RocksShelf(tmp_path, Memory())
    shelf.close()


def test_a_store_that_failed_begins_anew(tmp_path):
    shelf = RocksShelf(tmp_path, Memory())
    shelf.write([(b"a", b"1")])
    shelf.flush()
    shelf.close()
    with pytest.raises(ShelfError, match="the next start makes it anew"):
        shelf.read([b"a"])
    shelf = RocksShelf(tmp_path, Memory())
    assert shelf.read([b"a"]) == [None]
    shelf.close()


def test_a_folder_that_holds_no_store_begins_anew(tmp_path):
    (tmp_path / "CURRENT").write_text("nonsense")
    shelf = RocksShelf(tmp_path, Memory())
    assert shelf.read([b"a"]) == [None]
    shelf.close()


def test_what_holds_nothing_yet_is_not_made_anew(tmp_path, monkeypatch):
    shelf = RocksShelf(tmp_path / "store", Memory())
    shelf.write([(b"a", b"1")])
    shelf.clear()
    assert shelf.read([b"a"]) == [None]
    monkeypatch.setattr(shelf, "_open", None)
    shelf.clear()
    shelf.write([(b"a", b"2")])
    assert shelf.read([b"a"]) == [b"2"]
    shelf.close()
