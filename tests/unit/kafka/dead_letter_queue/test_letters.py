"""Dead letters are read back as they were written, filtered, and known when they were retried."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clicks import Rec, click

from stream_app.domain.errors import Reason, Rejected
from stream_app.kafka.dead_letter_queue.dead_letters import dead_letter
from stream_app.kafka.dead_letter_queue.letters import (
    Letter,
    LetterError,
    Listing,
    Note,
    Position,
    Wanted,
    parse,
)

MAX = 1_024


@dataclass
class Read:
    """A record as a consumer delivers it."""

    offset: int = 0
    partition: int = 3
    timestamp: int = 1_000
    key: bytes | None = b"ann"
    value: bytes | None = b""
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def read(source: Rec, reason: Reason = Reason.INVALID, **more) -> Read:
    """What is read back of the dead letter of `source`."""
    letter = dead_letter(source, Rejected(0, 0, reason, "user_id: missing"), MAX)
    return Read(key=letter.key, value=letter.value, headers=letter.headers, **more)


def test_a_dead_letter_is_read_back_as_it_was_written():
    record = Rec(click("ann", 1), offset=7, key=b"ann", topic="clicks", partition=2)
    assert parse(read(record, offset=17)) == Letter(
        position=Position(3, 17),
        at=1_000,
        reason="invalid",
        detail="user_id: missing",
        topic="clicks",
        source=Position(2, 7),
        key=b"ann",
        value=record.value,
    )


def test_one_that_was_cut_says_how_long_it_was():
    found = parse(read(Rec(b"x" * (MAX + 1))))
    assert isinstance(found, Letter)
    assert (found.length, len(found.value)) == (MAX + 1, MAX)


def test_a_note_comes_back_and_other_records_are_neither():
    note = Note(Position(3, 17), "clicks 2:99")
    assert parse(Read(headers=note.headers())) == note
    assert parse(Read()) is None
    assert parse(Read(headers=[("retried", b"somewhere")])) is None
    assert parse(Read(headers=[("reason", b"invalid")])) is None
    listing = Listing(Wanted())
    listing.take([Read()])
    assert listing.foreign == 1


@given(st.integers(0, 2**31), st.integers(0, 2**62))
def test_a_position_reads_as_it_is_written(partition, offset):
    assert Position.of(str(Position(partition, offset))) == (partition, offset)


@pytest.mark.parametrize("text", ["", "3", "3:", ":3", "-1:2", "3:4:5", "a:b", "٣:١", "3 :4"])
def test_what_is_no_position_is_refused(text):
    with pytest.raises(LetterError, match="PARTITION:OFFSET"):
        Position.of(text)


def test_filters_the_newest_first_and_all_are_counted():
    records = [
        read(Rec(b"", offset=n), reason, offset=n, timestamp=1_000 + n)
        for n, reason in enumerate([Reason.EMPTY, Reason.INVALID, Reason.EMPTY, Reason.EMPTY])
    ]
    records.append(Read(offset=4, headers=Note(Position(3, 2), "clicks 0:9").headers()))
    listing = Listing(Wanted(reasons=frozenset(["empty"]), since=1_001), limit=1)
    listing.take(records)
    assert [str(letter.position) for letter in listing.letters] == ["3:3"]
    assert listing.counts == {("empty", "clicks"): 2}
    assert listing.retried == {Position(3, 2): "clicks 0:9"}

    def kept(wanted: Wanted) -> list[int]:
        listing = Listing(wanted)
        listing.take(records)
        return [letter.position.offset for letter in listing.letters]

    assert kept(Wanted()) == [3, 2, 1, 0]
    assert kept(Wanted(topics=frozenset(["purchases"]))) == []
    assert kept(Wanted(positions=frozenset([Position(3, 1)]))) == [1]
