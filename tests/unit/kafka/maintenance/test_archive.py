"""What is kept comes back as it was, and damage is never taken for it."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.maintenance.archive import (
    MANIFEST,
    ArchiveError,
    Kept,
    Manifest,
    Part,
    PartWriter,
    read_manifest,
    read_part,
    verify,
    write_manifest,
)

RECORDS = [
    Kept(b"ann", b"\0\xff", 1_000, [("reason", b"x")]),
    Kept(b"\0meta", b"{}", 1_001),
    Kept(b"bob", None, 1_002),
    Kept(None, b"", 0),
]
ROLES = [("tag-state", 0), ("tag-state", 1), ("changelog", 0), ("changelog", 1)]
LEARNED = [("training", 0), ("models", 0)]
MANIFEST_ = Manifest(
    1,
    "shop",
    "2026-03-01T00:00:00Z",
    2,
    ["clicks", "purchases"],
    [{}, {}],
    [Part(role, n, f"{role}-{n}.gz", 0, "") for role, n in ROLES],
)


def written(folder: Path, records: list[Kept]) -> Part:
    writer = PartWriter(folder, "changelog", 3)
    writer.write(records)
    return writer.done()


@given(
    st.lists(
        st.builds(
            Kept,
            st.none() | st.binary(max_size=9),
            st.none() | st.binary(max_size=99),
            st.integers(-1, 2**62),
            st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=2),
        ),
        max_size=20,
    )
)
def test_records_come_back_as_they_were(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("backup")
    part = written(folder, records)
    assert (part.role, part.number, part.records) == ("changelog", 3, len(records))
    assert list(read_part(folder, part)) == records


def test_every_damage_is_told(tmp_path: Path):
    part = written(tmp_path, RECORDS)
    file = tmp_path / part.file
    whole = file.read_bytes()
    manifest = msgspec.structs.replace(MANIFEST_, parts=[part])
    verify(tmp_path, manifest)
    shorter = gzip.compress(gzip.decompress(whole)[:-9])
    for damaged in (b"", whole[:-9], whole[:20] + b"\0" + whole[21:], shorter, b"x" * 99):
        file.write_bytes(damaged)
        with pytest.raises(ArchiveError, match=r"changelog-3\.gz is damaged"):
            verify(tmp_path, manifest)
    file.unlink()
    with pytest.raises(ArchiveError, match="damaged"):
        verify(tmp_path, manifest)
    other = written(tmp_path, RECORDS[:2])
    with pytest.raises(ArchiveError, match="2 records, 4 expected"):
        verify(tmp_path, manifest)
    assert other.sha256 != part.sha256


def test_a_file_is_never_written_over(tmp_path: Path):
    written(tmp_path, RECORDS)
    with pytest.raises(FileExistsError):
        written(tmp_path, RECORDS)


def test_a_folder_without_a_manifest_is_no_backup(tmp_path: Path):
    with pytest.raises(ArchiveError, match="is no backup"):
        read_manifest(tmp_path)
    write_manifest(tmp_path, MANIFEST_)
    assert read_manifest(tmp_path) == MANIFEST_
    for broken, why in {
        b"{": "cannot be read",
        b"[1]": "format None",
        b'{"format": 2}': "format 2, expected 1",
        b'{"format": 1}': "cannot be read",
    }.items():
        (tmp_path / MANIFEST).write_bytes(broken)
        with pytest.raises(ArchiveError, match=why):
            read_manifest(tmp_path)


def test_only_who_made_a_backup_may_read_it(tmp_path: Path):
    part = written(tmp_path, RECORDS)
    write_manifest(tmp_path, MANIFEST_)
    for name in (part.file, MANIFEST):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    assert {file.name for file in tmp_path.iterdir()} == {part.file, MANIFEST}


def test_a_length_that_no_record_has_is_damage_and_is_not_read(tmp_path: Path):
    part = written(tmp_path, RECORDS)
    (tmp_path / part.file).write_bytes(gzip.compress(b"\xff\xff\xff\xff" + b"x" * 99))
    with pytest.raises(ArchiveError, match="damaged: a record of 4294967295 bytes"):
        list(read_part(tmp_path, part))


def parts(*roles: tuple[str, int]) -> list[Part]:
    return [Part(role, n, f"{role}-{n}.gz", 0, "") for role, n in roles]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"parts": parts(*ROLES[:-1])}, "should have once: changelog 1"),
        ({"parts": parts(*ROLES, ROLES[0])}, "should have once: tag-state 0"),
        ({"parts": parts(*ROLES, ("changelog", 2))}, "should have once: changelog 2"),
        ({"parts": parts(*ROLES, ("changelog", -1))}, "should have once: changelog -1"),
        ({"parts": parts(*ROLES, ("models", 0))}, "should have once: training 0"),
        ({"parts": parts(*ROLES, ("secrets", 0))}, "should have once: secrets 0"),
        ({"partitions": 10**12}, "should have files of 1000000000000 partitions"),
        ({"next": [{}]}, "offsets of 1 partitions, 2 expected"),
        (
            {"parts": [*parts(*ROLES[1:]), Part(*ROLES[0], "/etc/passwd", 0, "")]},
            "not in its folder",
        ),
        ({"parts": [*parts(*ROLES[1:]), Part(*ROLES[0], "changelog-1.gz", 0, "")]}, "there twice"),
    ],
)
def test_a_manifest_that_lacks_something_is_no_backup(tmp_path: Path, change, why):
    write_manifest(tmp_path, msgspec.structs.replace(MANIFEST_, **change))
    with pytest.raises(ArchiveError, match=why):
        read_manifest(tmp_path)


def test_one_with_what_was_learned_is_whole(tmp_path: Path):
    whole = msgspec.structs.replace(MANIFEST_, parts=parts(*LEARNED, *ROLES))
    write_manifest(tmp_path, whole)
    assert read_manifest(tmp_path) == whole
