"""stream-app models: list the models that were learned, or show one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import click
import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stream_app.cli._learning import declared
from stream_app.domain.clock import to_rfc3339
from stream_app.kafka.models import ModelsError, published
from stream_app.learning.snapshot import Model, SnapshotError, current_key, decode, key
from stream_app.resolve import resolve


@click.group()
def command() -> None:
    """Look at the models on the models topic: what was learned, and how good it is."""


@command.command("list")
@click.option("--all", "every", is_flag=True, help="Also versions that are not in use any more.")
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
def list_models(every: bool, bootstrap_servers: str | None) -> None:
    """Show each model with its state, what it was trained on, and its metrics."""
    rows = listed(_found(bootstrap_servers))
    Console().print(table([row for row in rows if every or row.in_use]))


@command.command("show")
@click.argument("task")
@click.option("--version", type=click.IntRange(min=1), help="Default: the one in use.")
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
def show_model(task: str, version: int | None, bootstrap_servers: str | None) -> None:
    """Print a model as JSON."""
    value = chosen(_found(bootstrap_servers), task, version)
    sys.stdout.buffer.write(msgspec.json.format(value, indent=2) + b"\n")


class Row(NamedTuple):
    """A version of a task's model; in place of a model that cannot be used, why."""

    task: str
    version: int
    in_use: bool
    model: Model | str


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
            rows.append(Row(task, int(number), in_use, _read(value)))
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


def table(rows: Sequence[Row]) -> Table:
    """A version a row; `*` marks the one in use."""
    shown = Table(
        "task", "version", "state", "learned until", "examples", "metrics", box=SIMPLE_HEAD
    )
    shown.columns[0].no_wrap = shown.columns[2].no_wrap = True
    shown.columns[1].justify = shown.columns[4].justify = "right"
    for row in rows:
        version = f"{row.version}{'*' if row.in_use else ' '}"
        shown.add_row(escape(row.task), version, *map(escape, _cells(row.model)))
    shown.caption = "* in use"
    shown.caption_justify = "left"
    return shown


def _cells(model: Model | str) -> Iterable[str]:
    if isinstance(model, str):
        return "[cannot be used]", "", "", model
    trained = model.trained
    metrics = (
        f"{name} {'-' if value is None else format(value, '.3g')}"
        for name, value in sorted(model.metrics.items())
    )
    until = to_rfc3339(trained.to)[:10]
    return model.state, until, f"{trained.examples:,}", ", ".join(metrics)
