"""A changelog that was put back in part must never look whole."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.engine.changelog import META, Meta, encode_meta
from stream_app.kafka.maintenance.archive import ArchiveError, Kept, Part
from stream_app.kafka.maintenance.put_back import _check_meta, _meta_last


def meta(offset: int) -> Kept:
    key, value = encode_meta(Meta({"clicks": offset, "purchases": 0}, 5, "ab", 1, "rev", 2, 3))
    return Kept(key, bytes(value), offset)


@given(st.lists(st.integers(0, 9) | st.binary(min_size=1, max_size=2), max_size=30))
def test_the_last_meta_comes_once_and_at_the_end_and_the_rest_as_it_was(given_):
    records = [meta(x) if isinstance(x, int) else Kept(x, b"row", 1) for x in given_]
    last = [x for x in given_ if isinstance(x, int)][-1:]
    found = list(_meta_last(records, {"clicks": sum(last), "purchases": 0}))
    rows = [record for record in records if record.key != META]
    assert found == rows + [meta(x) for x in last]


def test_with_new_inputs_only_the_offsets_change():
    begin = {"clicks": 40, "purchases": 41}
    row = Kept(b"ann", b"row", 1)
    assert list(_meta_last([meta(7), row], begin)) == [
        row,
        Kept(*encode_meta(Meta(begin, 5, "ab", 1, "rev", 2, 3)), 7),
    ]


def test_a_changelog_of_a_newer_version_is_refused_as_it_would_lose_what_only_that_knows():
    part = Part("changelog", 0, "changelog-0.gz", 1, "")
    key, value = encode_meta(Meta({}, 5, "ab", 1))
    newer = msgspec.json.encode(msgspec.json.decode(value) | {"format": 99, "more": 1})
    _check_meta(part, Kept(key, bytes(value), 1))
    _check_meta(part, Kept(b"ann", b"row", 1))
    with pytest.raises(ArchiveError, match=r"changelog-0\.gz: .*a newer version"):
        _check_meta(part, Kept(key, newer, 1))
    with pytest.raises(ArchiveError, match=r"changelog-0\.gz"):
        _check_meta(part, Kept(key, b"{", 1))
