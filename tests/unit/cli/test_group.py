"""The command line lists commands without importing them and says errors in one line each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import stream_app
from stream_app.cli import main
from stream_app.cli.errors import explain
from stream_app.cli.group import Commands
from stream_app.domain.errors import DeclarationError
from stream_app.kafka.topics import TopicsError


def failing(error: Exception) -> click.Group:
    @click.group(cls=Commands)
    def group() -> None:
        raise error

    return group


def test_every_command_is_listed_with_its_purpose_and_can_be_loaded() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert "Run a real Kafka on this machine" in result.output
    context = click.Context(main)
    for name in main.list_commands(context):
        assert f"  {name} " in result.output
        assert isinstance(main.get_command(context, name), click.Command)


def test_help_imports_no_kafka_client() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from stream_app.cli import main;"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0;"
        "sys.exit(bool({'aiokafka', 'faust', 'numpy', 'rich'} & set(sys.modules)))"
    )
    root = Path(stream_app.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_an_unknown_command_gets_the_nearest() -> None:
    result = CliRunner().invoke(main, ["topcs"])
    assert result.exit_code == 2
    assert "Did you mean 'topics'?" in result.stderr


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (
            DeclarationError("shop.yaml", 3, "tags.vip", "unknown key 'wenn'", "when"),
            ["shop.yaml:3: tags.vip: unknown key 'wenn'; expected when"],
        ),
        (TopicsError(["a: x", "b: y"]), ["a: x", "b: y"]),
        (TimeoutError(), ["no answer in time: `stream-app doctor` says what hangs"]),
        (
            FileNotFoundError(2, "No such file or directory", "x.yaml"),
            ["x.yaml: No such file or directory"],
        ),
    ],
)
def test_expected_errors_are_lines_and_exit_with_2(error: Exception, lines: list[str]) -> None:
    result = CliRunner().invoke(failing(error), ["topics"])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [f"error: {line}" for line in lines]


def test_a_kafka_that_is_away_is_said_with_its_address() -> None:
    from aiokafka.errors import KafkaConnectionError

    error = KafkaConnectionError("Unable to bootstrap from [('kafka-1', 9092, <AF_INET: 2>)]")
    assert "(kafka-1:9092): start one with `stream-app broker`" in explain(error)[0]


def test_a_bug_stays_a_traceback() -> None:
    assert explain(KeyError("x")) == []
    with pytest.raises(KeyError):
        CliRunner().invoke(failing(KeyError("x")), ["topics"], catch_exceptions=False)
