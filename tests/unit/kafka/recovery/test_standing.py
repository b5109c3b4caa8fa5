"""A `\\0meta` that cannot be read is told by its partition, and no bug."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition

from stream_app.engine.changelog import Meta, encode_meta
from stream_app.kafka.errors import Fatal
from stream_app.kafka.recovery.standing import _meta

PART = TopicPartition("shop-profiles-changelog", 3)


def test_what_a_worker_wrote_is_read():
    meta = Meta({"clicks": 7}, 5, "ab", 1)
    assert _meta(PART, bytes(encode_meta(meta)[1])).next == {"clicks": 7}


@pytest.mark.parametrize("value", [b"{", b"[]", b"\xff", b'{"next": 7}'])
def test_what_somebody_else_wrote_is_told(value: bytes):
    with pytest.raises(Fatal, match=r"shop-profiles-changelog partition 3: its `.0meta` cannot"):
        _meta(PART, value)
