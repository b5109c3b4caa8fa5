"""`stream-app replay`: changes on stdout, final features and tags in files, bad lines told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream_app.cli.replay import command

CATALOGUE = """
features:
  orders_7d: {count: purchase, window: 7d}
  spend_7d: {sum: purchase.value, window: 7d}
  hours_since_cart: {hours_since: add_to_cart}
tags:
  buyer: {class: spending, description: Bought, when: orders_7d >= 1}
  waiting: {class: behaviour, description: Left a cart, when: hours_since_cart >= 2}
"""
DAY = 86_400_000
START = 1_760_000_000_000


def event(kind: str, user: str, at: int, **fields: object) -> dict[str, object]:
    number = f"{user}-{kind}-{at}"
    return {"event_id": number, "type": kind, "user_id": user, "occurred_at": at} | fields


EVENTS = [
    event("add_to_cart", "ann", START),
    event("purchase", "bob", START + 1_000, value=12.5, currency="USD"),
    event("page_view", "ann", START + 3 * 3_600_000),
    event("page_view", "bob", START + 8 * DAY),
]


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "catalogue.yaml"
    path.write_text(CATALOGUE)
    return path


def replay(catalogue: Path, *arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(command, [*arguments, "--catalog", str(catalogue)], input=stdin)


def lines(events: list[dict[str, object]]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_changes_come_in_order_with_their_reasons(catalogue: Path) -> None:
    result = replay(catalogue, "-", stdin=lines(EVENTS))
    assert result.exit_code == 0, result.output
    changes = rows(result.stdout)
    assert [(c["user_id"], c["tag"], c["action"], c["version"]) for c in changes] == [
        ("bob", "buyer", "added", 1),
        ("ann", "waiting", "added", 1),
        ("bob", "buyer", "removed", 2),
    ]
    assert changes[0]["because"] == [
        {"feature": "orders_7d", "value": 1.0, "op": ">=", "threshold": 1.0}
    ]
    assert "4 events of 2 users" in result.stderr


def test_final_features_and_tags_are_written(catalogue: Path, tmp_path: Path) -> None:
    source = tmp_path / "events.ndjson.gz"
    source.write_bytes(gzip.compress(lines(EVENTS[:3]).encode()))
    features, tags = tmp_path / "features.ndjson", tmp_path / "tags.ndjson"
    result = replay(
        catalogue,
        str(source),
        "--features",
        str(features),
        "--tags",
        str(tags),
        "--as-of",
        str(START + 4 * 3_600_000),
    )
    assert result.exit_code == 0, result.output
    found = {row["user_id"]: row for row in rows(features.read_text())}
    assert found["bob"]["features"]["spend_7d"] == 12.5
    assert found["ann"]["features"] == {"orders_7d": 0.0, "spend_7d": 0.0, "hours_since_cart": 4.0}
    assert {row["user_id"]: sorted(row["tags"]) for row in rows(tags.read_text())} == {
        "ann": ["waiting"],
        "bob": ["buyer"],
    }


def test_partitions_do_not_change_the_answer(catalogue: Path, tmp_path: Path) -> None:
    answers = []
    for partitions in ("1", "5"):
        out = tmp_path / f"features-{partitions}.ndjson"
        as_of = str(START + 9 * DAY)
        arguments = ("-", "--partitions", partitions, "--features", str(out), "--as-of", as_of)
        assert replay(catalogue, *arguments, stdin=lines(EVENTS)).exit_code == 0
        answers.append(sorted(out.read_text().splitlines()))
    assert answers[0] == answers[1]


def test_bad_lines_are_told_and_kept_and_the_rest_goes_on(catalogue: Path, tmp_path: Path) -> None:
    letters = tmp_path / "letters.ndjson"
    bad = event("page_view", "eve", START + 40 * DAY)
    text = lines(EVENTS[:1]) + "{not json\n" + lines([bad]) + lines(EVENTS[1:3])
    result = replay(catalogue, "-", "--dead-letters", str(letters), stdin=text)
    assert result.exit_code == 1
    found = rows(letters.read_text())
    assert [(row["line"], row["reason"]) for row in found] == [(2, "malformed"), (3, "future")]
    assert found[0]["value"] == "{not json"
    assert "--max-jump" in result.stderr
    assert "3 events of 2 users" in result.stderr


def test_a_wrong_moment_is_refused(catalogue: Path) -> None:
    result = replay(catalogue, "-", "--as-of", "yesterday", stdin="")
    assert result.exit_code == 2
    assert "2026-01-31T12:00:00Z" in result.stderr


def test_no_events_are_no_error(catalogue: Path) -> None:
    result = replay(catalogue, "-", stdin="")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "0 events of 0 users" in result.stderr
