"""stream-app models pin, unpin, rollback, release: an operator decides which version is used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import click

from stream_app.cli._learning import declared
from stream_app.kafka.client.writer import Outgoing
from stream_app.kafka.model_registry.models import ModelsError, published
from stream_app.kafka.model_registry.steering import Change, Published, write
from stream_app.learning.training import encode
from stream_app.resolve import resolve
from stream_app.settings import Settings

_AGAIN_S: Final = 0.5
_SERVERS = click.option(
    "--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas."
)


@click.command("pin")
@click.argument("task")
@click.argument("version", type=click.IntRange(min=1))
@_SERVERS
def pin_version(task: str, version: int, bootstrap_servers: str | None) -> None:
    """Put a version into use and keep it so.

    Later versions are published and not used, until `unpin`. A pinned version is never deleted.
    """
    settings = resolve(bootstrap_servers=bootstrap_servers)
    learning = declared(settings)
    change = _changed(settings, task, lambda there: there.pinning(version, learning))
    _tell_pinned(task, change.version)


@click.command("rollback")
@click.argument("task")
@_SERVERS
def roll_back(task: str, bootstrap_servers: str | None) -> None:
    """Pin the live version before the one in use."""
    settings = resolve(bootstrap_servers=bootstrap_servers)
    learning = declared(settings)
    change = _changed(settings, task, lambda there: there.back(learning))
    _tell_pinned(task, change.version)


@click.command("unpin")
@click.argument("task")
@_SERVERS
def unpin(task: str, bootstrap_servers: str | None) -> None:
    """Lift a pin: the newest version that is not held comes into use, and later ones after it."""
    settings = resolve(bootstrap_servers=bootstrap_servers)
    declared(settings)
    change = _changed(settings, task, Published.unpinning)
    click.echo(f"{task} is not pinned any more: version {change.version} is in use")


@click.command("release")
@click.argument("task")
@click.option("--version", type=click.IntRange(min=1), help="Default: the newest that is held.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="Seconds to wait for a trainer's answer.",
)
@_SERVERS
def release(task: str, version: int | None, wait: float, bootstrap_servers: str | None) -> None:
    """Have a version that is held come into use; later ones are compared with it.

    The trainer does it: what is written here is one more record to learn from.
    """
    settings = resolve(bootstrap_servers=bootstrap_servers)
    declared(settings)
    click.echo(asyncio.run(_release(settings, task, version, wait)))


def _changed(settings: Settings, task: str, decide: Callable[[Published], Change]) -> Change:
    async def change() -> Change:
        found = decide(Published.of(await published(settings), task))
        await write(settings, settings.models_topic, found.records)
        return found

    return asyncio.run(change())


def _tell_pinned(task: str, version: int) -> None:
    click.echo(
        f"{task} is pinned to version {version}, which is in use; "
        f"`stream-app models unpin {task}` ends that"
    )


async def _release(settings: Settings, task: str, version: int | None, wait: float) -> str:
    record = Published.of(await published(settings), task).releasing(version)
    await write(settings, settings.training_topic, [Outgoing(task.encode(), encode(record))])
    version = record.version
    try:
        async with asyncio.timeout(wait):
            while True:
                there = Published.of(await published(settings), task)
                if there.released(version):
                    return _outcome(there, version)
                await asyncio.sleep(_AGAIN_S)
    except TimeoutError:
        raise ModelsError(
            f"no trainer has released version {version} of {task} within {wait:g} s: is "
            "`stream-app trainer` running, and has it learned all that there is? The release is "
            "written, and counts as soon as one has come to it"
        ) from None


def _outcome(there: Published, version: int) -> str:
    said = f"version {version} of {there.task} is released"
    if there.in_use == version:
        return f"{said} and in use"
    if there.pin is not None:
        return f"{said}; in use is version {there.pin}, which is pinned"
    return f"{said}; in use is version {there.in_use}"
