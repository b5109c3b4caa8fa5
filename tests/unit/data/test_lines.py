"""Lines of files in chunks, numbered, whatever the chunks' borders."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.data import lines as module
from stream_app.data.lines import LinesError, read_chunks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lines")


@given(
    lines=st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), max_size=20),
    size=st.integers(1, 40),
    end=st.booleans(),
    packed=st.booleans(),
)
def test_every_line_comes_once_with_its_number(folder, lines, size, end, packed):
    text = b"\n".join(lines) + (b"\n" if end else b"")
    path = folder / "lines.ndjson"
    path.write_bytes(gzip.compress(text) if packed else b"{" + text)
    prefix = b"" if packed else b"{"
    chunks = list(read_chunks(str(path), size))
    read = [line for chunk in chunks for line in chunk.lines]
    expected = (prefix + text).split(b"\n")
    assert read == (expected if expected[-1] else expected[:-1])
    starts = [1]
    for chunk in chunks:
        starts.append(starts[-1] + len(chunk.lines))
    assert [chunk.first for chunk in chunks] == starts[:-1]


def test_damaged_gzip_is_named(tmp_path):
    path = tmp_path / "events.ndjson.gz"
    path.write_bytes(gzip.compress(b"a\n" * 100_000)[:-9])
    with pytest.raises(LinesError, match=r"events\.ndjson\.gz: damaged gzip"):
        list(read_chunks(str(path)))


def test_a_line_without_end_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_LINE", 10)
    path = tmp_path / "long"
    path.write_bytes(b"x" * 100 + b"\nshort\n")
    read = [line for chunk in read_chunks(str(path), 8) for line in chunk.lines]
    assert [len(read[0]) <= 18, read[1]] == [True, b"short"]


def test_a_pipe_gives_what_is_there(monkeypatch):
    reading, writing = os.pipe()
    with open(reading, "rb") as source:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(source))
        chunks = read_chunks("-")
        os.write(writing, b"one\ntw")
        assert next(chunks).lines == [b"one"]
        late = threading.Thread(target=lambda: (os.write(writing, b"o\n"), os.close(writing)))
        late.start()
        rest = list(chunks)
        late.join()
    assert [(chunk.first, chunk.lines) for chunk in rest] == [(2, [b"two"])]
    assert rest[0].file == "standard input"
