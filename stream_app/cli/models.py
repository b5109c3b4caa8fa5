"""stream-app models: list the models that were learned, show one, or decide which one is used."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence

import click
import msgspec
from rich.console import Console, Group
from rich.text import Text

from stream_app.cli._explain import explain_user
from stream_app.cli._learning import declared
from stream_app.cli._model_table import Row, current, plain, tables
from stream_app.cli._steering import pin_version, release, roll_back, unpin
from stream_app.kafka.model_registry.models import ModelsError, published
from stream_app.kafka.model_registry.pins import pin_key, pinned
from stream_app.learning.snapshot import Model, SnapshotError, current_key, decode, key
from stream_app.resolve import resolve


@click.group()
def command() -> None:
    """Look at the models on the models topic, and decide which version is used."""


for _command in (explain_user, pin_version, unpin, roll_back, release):
    command.add_command(_command)


@command.command("list")
@click.option("--all", "every", is_flag=True, help="Also versions that are not in use any more.")
@click.option(
    "--format",
    "shape",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Tables of the figures that matter most, or JSON of all.",
)
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
def list_models(every: bool, shape: str, bootstrap_servers: str | None) -> None:
    """Show each model with its state, what it was trained on, and how good it is."""
    rows = listed(_found(bootstrap_servers))
    rows = rows if every else current(rows)
    if shape == "json":
        value = msgspec.json.encode(plain(rows))
        sys.stdout.buffer.write(msgspec.json.format(value, indent=2) + b"\n")
        return
    Console().print(table(rows))


@command.command("show")
@click.argument("task")
@click.option("--version", type=click.IntRange(min=1), help="Default: the one in use.")
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
def show_model(task: str, version: int | None, bootstrap_servers: str | None) -> None:
    """Print a model as JSON."""
    value = chosen(_found(bootstrap_servers), task, version)
    sys.stdout.buffer.write(msgspec.json.format(value, indent=2) + b"\n")


def table(rows: Sequence[Row]) -> Group:
    """Tables of versions, one a kind of model."""
    note = Text("* in use; what the figures mean: docs/learning.md", style="dim")
    return Group(*tables(rows), note)


def _found(bootstrap_servers: str | None) -> Mapping[bytes, bytes]:
    settings = resolve(bootstrap_servers=bootstrap_servers)
    declared(settings)
    return asyncio.run(published(settings))


def listed(found: Mapping[bytes, bytes]) -> list[Row]:
    """A row for each version, by task, newest first."""
    rows = []
    for name, value in found.items():
        task, _, number = name.decode(errors="replace").rpartition(":")
        if number.isdecimal():
            in_use = found.get(current_key(task)) == value
            pin = pinned(found.get(pin_key(task))) == int(number)
            rows.append(Row(task, int(number), in_use, _read(value), pin))
    return sorted(rows, key=lambda row: (row.task, -row.version))


def _read(value: bytes) -> Model | str:
    try:
        return decode(value)
    except SnapshotError as error:
        return str(error)


def chosen(found: Mapping[bytes, bytes], task: str, version: int | None) -> bytes:
    """The record of a task's version, or of what is in use; raises ModelsError without one."""
    value = found.get(current_key(task) if version is None else key(task, version))
    if value is not None:
        return value
    rows = listed(found)
    versions = [str(row.version) for row in rows if row.task == task]
    if versions:
        raise ModelsError(f"{task} has no version {version}: there are {', '.join(versions)}")
    tasks = sorted({row.task for row in rows})
    raise ModelsError(f"there is no model of {task}: there are models of {', '.join(tasks)}")
