"""`stream-app models`: what is said of the records of the topic."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.clicks import CATALOGUE
from support.trainer import model

from stream_app.cli import main
from stream_app.cli.models import chosen
from stream_app.kafka.models import ModelsError
from stream_app.learning.snapshot import current_key, encode, key

ONE, TWO, OTHER = (encode(model(1)), encode(model(2)), encode(model(1, task="other")))
FOUND = {
    key("counted", 1): ONE,
    key("counted", 2): TWO,
    current_key("counted"): TWO,
    key("other", 1): OTHER,
    current_key("other"): OTHER,
}
#: Learning of one task, to be added to a small catalogue.
LEARNING = """
learning:
  segments: {features: [%s], rate: 0.5}
"""


def test_what_is_shown_is_the_one_in_use_or_the_version_asked_for() -> None:
    assert chosen(FOUND, "counted", None) == TWO
    assert chosen(FOUND, "counted", 1) == ONE


def test_what_is_not_there_is_said_with_what_is() -> None:
    with pytest.raises(ModelsError, match="counted has no version 3: there are 2, 1"):
        chosen(FOUND, "counted", 3)
    with pytest.raises(ModelsError, match="no model of x: there are models of counted, other"):
        chosen(FOUND, "x", None)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`run(found, *arguments)`, with a catalogue that declares learning."""
    path = tmp_path / "shop.yaml"
    path.write_text(CATALOGUE + LEARNING % "clicks_24h")
    monkeypatch.setenv("STREAM_APP_CATALOG", str(path))

    def run(found: dict[bytes, bytes], *arguments: str) -> Result:
        async def published(settings: object) -> dict[bytes, bytes]:
            return found

        monkeypatch.setattr("stream_app.cli.models.published", published)
        return CliRunner().invoke(main, ["models", *arguments])

    return run


def test_only_what_is_in_use_is_listed_unless_all_is_asked_for(run) -> None:
    assert [run(FOUND, "list", *more).output.count("live") for more in ([], ["--all"])] == [2, 3]


def test_the_list_is_json_too_with_all_metrics(run) -> None:
    told = json.loads(run(FOUND, "list", "--format", "json").output)
    assert [(row["task"], row["version"], row["in_use"]) for row in told] == [
        ("counted", 2, True),
        ("other", 1, True),
    ]
    assert told[0]["metrics"] == {"auc": 0.75, "lift": None}


def test_show_prints_json(run) -> None:
    result = run(FOUND, "show", "counted", "--version", "1")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.output) == json.loads(ONE)


@pytest.mark.parametrize("command", [["models", "list"], ["trainer", "--no-restart"]])
def test_without_learning_in_the_catalogue_that_is_said(tmp_path, command) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(CATALOGUE)
    result = CliRunner().invoke(main, command, env={"STREAM_APP_CATALOG": str(path)})
    assert result.exit_code == 2
    assert "declares nothing to learn" in result.stderr
