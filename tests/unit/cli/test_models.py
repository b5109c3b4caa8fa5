"""`stream-app models`: what is said of the records of the topic."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from support.clicks import CATALOGUE
from support.trainer import model

from stream_app.cli import main
from stream_app.cli.models import chosen
from stream_app.kafka.client.writer import Outgoing
from stream_app.kafka.model_registry.models import ModelsError
from stream_app.kafka.model_registry.pins import pin, pin_key
from stream_app.learning.snapshot import current_key, encode, key

ONE, TWO, OTHER = (encode(model(1)), encode(model(2)), encode(model(1, task="other")))
THREE, HELD = encode(model(3)), encode(replace(model(3), state="held"))
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


class TestSteering:
    """What changes what is used; what may: tests/unit/kafka/model_registry/test_steering.py."""

    @pytest.fixture
    def written(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[Outgoing]]]:
        calls: list[tuple[str, list[Outgoing]]] = []

        async def write(settings: object, topic: str, records: list[Outgoing]) -> None:
            calls.append((topic, records))

        monkeypatch.setattr("stream_app.cli._steering.write", write)
        return calls

    @pytest.fixture
    def steer(self, run, monkeypatch: pytest.MonkeyPatch):
        """`steer(found, …, *arguments)`: the topic as it is read at first, then, and so on."""

        def steer(*given: dict[bytes, bytes] | str) -> Result:
            topics = [one for one in given if isinstance(one, dict)]

            async def published(settings: object) -> dict[bytes, bytes]:
                return topics.pop(0) if len(topics) > 1 else topics[0]

            monkeypatch.setattr("stream_app.cli._steering.published", published)
            return run(FOUND, *(one for one in given if isinstance(one, str)))

        return steer

    def test_pin_and_rollback_pin_the_version_and_put_it_into_use(self, steer, written) -> None:
        pinned = [
            Outgoing(pin_key("counted"), pin(1)),
            Outgoing(current_key("counted"), ONE),
        ]
        for arguments in (["pin", "counted", "1"], ["rollback", "counted"]):
            result = steer(FOUND, *arguments)
            assert result.exit_code == 0, result.stderr
            assert "counted is pinned to version 1, which is in use" in result.output
        assert written == [("models", pinned)] * 2

    def test_unpin_says_what_comes_into_use(self, steer, written) -> None:
        result = steer(FOUND | {pin_key("counted"): pin(1)}, "unpin", "counted")
        assert "not pinned any more: version 2 is in use" in result.output
        assert [record.key for record in written[0][1]] == [
            pin_key("counted"),
            current_key("counted"),
        ]

    def test_release_waits_until_a_trainer_has_published_it(
        self, steer, written, monkeypatch
    ) -> None:
        monkeypatch.setattr("stream_app.cli._steering._AGAIN_S", 0.001)
        held = FOUND | {key("counted", 3): HELD}
        live = {key("counted", 3): THREE, current_key("counted"): THREE}
        result = steer(held, held, held | live, "release", "counted")
        assert result.output.strip() == "version 3 of counted is released and in use"
        assert written[0][0] == "training"
        assert b'"kind":"release"' in written[0][1][0].value
        pins = {pin_key("counted"): pin(1), current_key("counted"): ONE}
        result = steer(held, held | live | pins, "release", "counted")
        assert result.output.strip().endswith("released; in use is version 1, which is pinned")

    def test_without_a_trainer_release_says_so_in_the_end(self, steer, written) -> None:
        held = FOUND | {key("counted", 3): HELD}
        result = steer(held, "release", "counted", "--wait", "0.01")
        assert result.exit_code == 2
        assert "no trainer has released version 3 of counted within 0.01 s" in result.stderr
        assert len(written) == 1

    def test_a_pin_is_listed(self, run) -> None:
        found = FOUND | {pin_key("counted"): pin(1), current_key("counted"): ONE}
        assert "1* pinned" in run(found, "list", "--all").output
        told = json.loads(run(found, "list", "--format", "json").output)
        assert [row["version"] for row in told if row["pinned"]] == [1]

    def test_what_cannot_be_is_one_line(self, steer, written) -> None:
        result = steer(FOUND, "pin", "count", "1")
        assert result.exit_code == 2
        assert "expected 'counted'" in result.stderr
        assert written == []
