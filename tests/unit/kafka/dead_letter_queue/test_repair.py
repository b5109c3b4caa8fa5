"""What is sent for a dead letter: what the worker would take, under an id that stays."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clicks import START, click, purchase

from stream_app.domain.batch import CLICKS, PURCHASES
from stream_app.domain.decode import DecodeOptions, Decoder
from stream_app.kafka.dead_letter_queue.letters import Letter, LetterError, Position
from stream_app.kafka.dead_letter_queue.repair import (
    Repair,
    Repaired,
    Unfit,
    derived_id,
    field_of,
    repair,
    repaired,
)

DECODER = Decoder(DecodeOptions(currency="USD", rates={"EUR": Decimal("1.1")}))
LETTER = Letter(
    position=Position(3, 17),
    at=START,
    reason="invalid",
    detail="",
    topic="clicks",
    source=Position(3, 120),
    key=b"ann",
    value=click("ann", 1),
)


def judged(value: bytes, **change) -> Repaired | Unfit:
    return repair(replace(LETTER, value=value), Repair(**change), DECODER, START)


def sent(value: bytes, **change) -> dict:
    found = judged(value, **change)
    assert isinstance(found, Repaired), found
    return json.loads(found.value)


def test_bytes_that_need_no_change_stay_as_they_are():
    value = click("ann", 1, search_term="  ä ").replace(b": ", b":   ")
    assert judged(value) == Repaired(replace(LETTER, value=value), CLICKS, "ann", value)


def test_the_type_says_the_topic_and_the_user_the_key_whatever_they_were():
    found = judged(purchase("bob", 1))
    assert isinstance(found, Repaired)
    assert (found.topic, found.user) == (PURCHASES, "bob")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "empty: the record has no value"),
        (b'{"event_id": "cut', "malformed: "),
        (b"[1]", "invalid: "),
        (click("ann", 1, type="teleport"), "unknown_type: "),
        (purchase("ann", 1, currency="SEK"), "undeclared_currency: "),
        (click("ann", 1, at=START + 10**6), "future: "),
        (click("ann", 1, at=START - 401 * 86_400_000), "too_old: "),
        (b"x" * 65_537, "too_large: "),
    ],
)
def test_what_the_worker_would_refuse_is_refused_with_the_reason_now(value, why):
    found = judged(value)
    assert isinstance(found, Unfit)
    assert found.why.startswith(why)


def test_fields_are_set_and_other_bytes_given():
    assert sent(purchase("ann", 1, currency="SEK"), set={"currency": "EUR"})["currency"] == "EUR"
    found = sent(b'{"event_id": "cut', edit=b"\n" + click("eve", 2) + b"\n", set={"item_id": "x"})
    assert (found["user_id"], found["event_id"], found["item_id"]) == ("eve", "c2", "x")


def test_an_event_id_that_an_operator_gives_is_never_replaced_in_silence():
    found = judged(click("ann", 1), set={"event_id": 17})
    assert isinstance(found, Unfit)
    assert "event_id" in found.why


@pytest.mark.parametrize("event_id", [None, "", 17, "x" * 257, ["a"]])
def test_without_a_usable_event_id_where_it_was_read_names_it_each_time(event_id):
    value = json.dumps(json.loads(click("ann", 1)) | {"event_id": event_id}).encode()
    assert sent(value)["event_id"] == sent(value)["event_id"] == "clicks-3-120"
    # Whatever else is repaired.
    assert sent(value, set={"item_id": "x"})["event_id"] == "clicks-3-120"
    assert sent(value, edit=value)["event_id"] == "clicks-3-120"
    assert sent(value, set={"event_id": "own"})["event_id"] == "own"


@given(st.text("abz-._", min_size=1, max_size=249), st.integers(0, 9_999), st.integers(0, 2**63))
def test_a_derived_id_is_never_too_long_and_names_one_place(topic, partition, offset):
    letter = replace(LETTER, topic=topic, source=Position(partition, offset))
    assert len(derived_id(letter)) <= 256
    other = replace(letter, source=Position(partition, offset + 1))
    assert derived_id(letter) != derived_id(other)


def test_one_that_was_cut_needs_its_whole():
    cut = replace(LETTER, length=100_000)
    with pytest.raises(LetterError, match=r"of 100000 bytes were kept.*partition 3, offset 120"):
        repaired(cut, Repair(set={"item_id": "x"}))
    assert repaired(cut, Repair(edit=click("ann", 1))) == click("ann", 1)


def test_a_field_is_json_or_else_text():
    assert field_of("price=12.5") == ("price", 12.5)
    assert field_of("user_id=u-1") == ("user_id", "u-1")
    assert field_of('user_id="17"') == ("user_id", "17")
    assert field_of("channel=null") == ("channel", None)
    assert field_of("item_id=") == ("item_id", "")
    for wrong in ("price", "=3"):
        with pytest.raises(LetterError, match="FIELD=VALUE"):
            field_of(wrong)


def test_no_field_of_what_is_no_object_can_be_set():
    found = judged(b"[1]", set={"a": 1})
    assert isinstance(found, Unfit)
    assert "use --edit" in found.why
