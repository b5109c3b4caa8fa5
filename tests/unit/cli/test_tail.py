"""Which changes `tail` prints."""

from __future__ import annotations

import pytest

from stream_app.cli.tail import Wanted
from stream_app.domain.because import Because
from stream_app.domain.changes import Source, TagChange, encode

CHANGE = TagChange(
    change_id="h1:0:1", user_id="h1", tag="loyal", cls="lifecycle", action="added", value=True,
    previous=None, confidence=1.0, version=1, occurred_at=10**12, emitted_at=10**12,
    valid_until=None, source=Source("rule", "loyal", "r"), cause=None,
    because=[Because("orders_30d", 3.0, ">", 2.0)],
)  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "picked"),
    [
        (Wanted(), True),
        (Wanted(user=b"h1"), True),
        (Wanted(user=b"h2"), False),
        (Wanted(tags=frozenset({"loyal", "lost"})), True),
        (Wanted(tags=frozenset({"lost"})), False),
        (Wanted(user=b"h1", tags=frozenset({"lost"})), False),
    ],
)
def test_user_and_tag_choose(wanted, picked):
    assert wanted.pick(b"h1", encode(CHANGE)) == (CHANGE if picked else None)


def test_what_is_no_change_is_an_error():
    for value in (None, b"{}", b"\xff"):
        with pytest.raises(ValueError, match=r"."):
            Wanted().pick(b"h1", value)
