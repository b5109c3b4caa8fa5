"""What `stream-app dead-letters` understands and shows, without any Kafka."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from stream_app.cli import main
from stream_app.cli._letters import described, lines, printable, text_or_hex
from stream_app.cli.dead_letters import Since
from stream_app.kafka.dead_letter_queue.letters import Letter, Listing, Position, Wanted
from stream_app.kafka.dead_letter_queue.repair import Unfit


def test_bytes_are_shown_as_text_or_else_in_hexadecimal():
    assert text_or_hex('{"a": "ä"}'.encode()) == '{"a": "ä"}'
    assert text_or_hex(b"") == ""
    # A terminal is not to be told anything by what somebody sent.
    assert text_or_hex(b"\x1b[2J") == f"00000000  {'1b 5b 32 4a':<47}  .[2J"
    assert text_or_hex(b"\xff" + b"a" * 16).splitlines() == [
        f"00000000  {'ff' + ' 61' * 15}  .{'a' * 15}",
        f"00000010  {'61':<47}  a",
    ]


def test_since_is_a_duration_before_now_or_a_time_with_its_zone():
    now = time.time() * 1000
    assert abs(Since().convert("2h", None, None) - (now - 7_200_000)) < 5_000
    assert Since().convert("2026-03-01T12:00:00+01:00", None, None) == 1_772_362_800_000
    assert Since().convert("1970-01-01T00:00:01Z", None, None) == 1_000


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["retry"], "say which"),
        (["retry", "--reason", "invalid", "--edit", "-"], "one dead letter: name it"),
        (["retry", "3:1", "3:2", "--edit", "-"], "one dead letter: name it"),
        (["retry", "3:1", "--set", "currency"], "FIELD=VALUE"),
        (["retry", "seventeen"], "PARTITION:OFFSET"),
        (["list", "--since", "yesterday"], "expected 2h"),
        (["list", "--since", "9" * 5_000 + "d"], "expected 2h"),
        (["show", "9" * 5_000 + ":1"], "PARTITION:OFFSET"),
        (["list", "--since", "2026-03-01T12:00:00"], "expected 2h"),
        (["list", "--reason", "bad"], "'bad' is not one of"),
    ],
)
def test_what_cannot_be_meant_is_said_before_kafka_is_asked(arguments, why):
    done = CliRunner().invoke(main, ["dead-letters", *arguments])
    assert done.exit_code == 2
    assert why in done.stderr


def listing(**more: object) -> Listing:
    letter = Letter(
        Position(3, 17), 0, "invalid", "user_id: missing", "clicks", Position(3, 9), b"ann", b"{}"
    )
    found = Listing(Wanted(), retried={Position(3, 17): "clicks 3:20"})
    found._keep(replace(letter, **more))
    return found


def test_a_dead_letter_takes_two_lines_whatever_the_terminals_width():
    assert list(lines(listing())) == [
        "3:17  1970-01-01T00:00:00.000Z  invalid, read at clicks 3:9, sent again as clicks 3:20",
        "      user_id: missing",
    ]


@given(st.text())
def test_a_terminal_finds_nothing_to_obey(text):
    assert printable(text).isprintable()
    strange = listing(detail=text, key=text.encode(errors="ignore"), topic=text, reason=text)
    told = [*lines(strange)]
    (letter,) = strange.letters
    told += [f"{value}" for _, value in described(letter, strange, Unfit(letter, text))]
    assert all(line.isprintable() for line in told)
