"""The command that sends events, with sending itself replaced."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from stream_app.cli import main, produce
from stream_app.cli.produce import Speed
from stream_app.kafka.console.produce import Sent

GOOD = [
    json.dumps({"event_id": str(i), "type": "login", "user_id": "u", "occurred_at": 10**12 + i})
    for i in range(4)
]


@pytest.fixture
def sent(monkeypatch):
    """Every event that would have been sent."""
    values = []

    async def collect(chunks, settings, pace, *, event_time, progress):
        for chunk in chunks:
            values.extend(value.decode() for value in chunk.value)
        return Sent([len(values), 0], 0.5)

    monkeypatch.setattr(produce, "produce", collect)
    return values


def run(*arguments, lines=()):
    text = "".join(f"{line}\n" for line in lines)
    return CliRunner().invoke(main, ["produce", *map(str, arguments)], input=text)


def test_good_events_are_sent_and_counted(sent):
    result = run("-", lines=GOOD)
    assert (result.exit_code, sent) == (0, GOOD)
    assert result.stderr == "sent 4 events (4 clicks, 0 purchases) in 0.5 s: 8 events/s\n"


def test_bad_lines_are_reported_and_left_out(sent, tmp_path):
    letters = tmp_path / "bad.ndjson"
    result = run("-", "--dead-letters", letters, lines=[GOOD[0], "{", GOOD[1], '{"type":"x"}'])
    assert (result.exit_code, sent) == (1, GOOD[:2])
    assert "standard input:2: malformed: " in result.stderr
    assert "standard input:4: unknown_type: " in result.stderr
    assert "2 bad lines left out" in result.stderr
    written = [json.loads(line) for line in letters.read_text().splitlines()]
    assert [(letter["line"], letter["value"]) for letter in written] == [
        (2, "{"),
        (4, '{"type":"x"}'),
    ]


def test_strict_stops_at_the_first_bad_line(sent):
    result = run("-", "--strict", lines=[GOOD[0], "{", GOOD[1], "{"])
    assert (result.exit_code, sent) == (1, GOOD[:1])
    assert result.stderr.count("malformed") == 1
    assert "stopped at a bad line" in result.stderr


def test_many_bad_lines_are_only_counted(sent):
    result = run("-", lines=["{"] * 50)
    assert result.stderr.count("malformed") == 20
    assert "50 bad lines left out" in result.stderr


def test_an_old_event_is_bad_only_where_records_get_the_present(sent):
    assert run("-", lines=GOOD).exit_code == 0
    result = run("-", "--timestamps", "now", lines=GOOD)
    assert result.exit_code == 1
    assert result.stderr.count("too_old") == 4


def test_files_follow_one_another(sent, tmp_path):
    for number, line in enumerate(GOOD[:2]):
        (tmp_path / f"{number}.ndjson").write_text(line)
    run(tmp_path / "1.ndjson", tmp_path / "0.ndjson")
    assert sent == [GOOD[1], GOOD[0]]


def test_a_missing_file_is_named(sent):
    result = run("nowhere.ndjson")
    assert result.exit_code == 2
    assert result.stderr == "error: nowhere.ndjson: No such file or directory\n"


@pytest.mark.parametrize(("text", "factor"), [("60x", 60), ("60", 60), ("0.5x", 0.5)])
def test_speed_is_a_factor(text, factor):
    assert Speed().convert(text, None, None) == factor


@pytest.mark.parametrize("text", ["", "x", "0x", "-1", "fast"])
def test_other_speeds_are_refused(text):
    with pytest.raises(click.BadParameter, match="60x"):
        Speed().convert(text, None, None)
