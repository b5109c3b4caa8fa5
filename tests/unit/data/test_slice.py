"""The slice that is shipped for tests is what the command in its README writes."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pytest

from stream_app.data import Selection, load_shop, messages
from stream_app.data.checks import Checker
from stream_app.data.lines import read_chunks

SLICE = Path(__file__).parents[2] / "data" / "shop.ndjson.gz"
END_OF_2017 = 1_514_764_800_000


def test_the_slice_is_small_and_every_line_is_an_event():
    assert SLICE.stat().st_size < 300_000
    checker = Checker(max_event_bytes=65_536, future_ms=0, retention_ms=None)
    checked = [checker.check(chunk, END_OF_2017) for chunk in read_chunks(str(SLICE))]
    assert sum(map(len, checked)) == 9081
    assert not [bad for part in checked for bad in part.bad]


@pytest.mark.timeout(60)
def test_the_slice_is_what_the_real_tables_give():
    selection = Selection(households=40, start=date(2017, 10, 1), end=date(2017, 11, 15))
    written = b"".join(message.value + b"\n" for message in messages(load_shop(), selection))
    assert written == gzip.decompress(SLICE.read_bytes())
