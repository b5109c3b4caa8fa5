"""stream-app tail: watch tags change, each change with its reason."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console

from stream_app.cli.format import change_line
from stream_app.domain.changes import TagChange, decode_change
from stream_app.kafka.console.tail import Extent, changes
from stream_app.resolve import resolve
from stream_app.settings import Settings

Show = Callable[[bytes, TagChange], None]


@click.command()
@click.option(
    "--from-beginning/--from-end",
    "from_beginning",
    default=None,
    help="All changes, or only new ones. Default: new ones; with --until-end, all.",
)
@click.option(
    "--follow/--until-end",
    default=True,
    show_default="follow",
    help="Wait for more, or stop at the end as it is now.",
)
@click.option("--user", help="Only this user's changes.")
@click.option("--tag", multiple=True, help="Only this tag's changes; may be repeated.")
@click.option("--max", "most", type=click.IntRange(min=1), help="Stop after so many changes.")
@click.option(
    "--format",
    "shape",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="A line for people, or NDJSON as published.",
)
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
def command(
    from_beginning: bool | None,
    follow: bool,
    user: str | None,
    tag: tuple[str, ...],
    most: int | None,
    shape: str,
    bootstrap_servers: str | None,
) -> None:
    """Print changes of tags as they are committed: who, what (+ − ~), and why.

    Only committed changes are read, as every consumer of the topic should do.
    """
    settings = resolve(bootstrap_servers=bootstrap_servers)
    beginning = not follow if from_beginning is None else from_beginning
    wanted = Wanted(user.encode() if user is not None else None, frozenset(tag), most)
    show = _as_json if shape == "json" else _as_text()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_tail(settings, Extent(beginning, not follow), wanted, show))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which changes to print; None and empty: all of them."""

    user: bytes | None = None
    tags: frozenset[str] = frozenset()
    most: int | None = None

    def pick(self, key: bytes | None, value: bytes | None) -> TagChange | None:
        """The change in a record, if it is wanted; ValueError if it is no tag change."""
        if self.user is not None and key != self.user:
            return None
        change = decode_change(value or b"")
        return None if self.tags and change.tag not in self.tags else change


async def _tail(settings: Settings, extent: Extent, wanted: Wanted, show: Show) -> None:
    shown = 0
    async with contextlib.aclosing(changes(settings, extent)) as records:
        async for record in records:
            change = _read(record, wanted)
            if change is None:
                continue
            show(record.value, change)
            shown += 1
            if shown == wanted.most:
                return


def _read(record: Any, wanted: Wanted) -> TagChange | None:
    try:
        return wanted.pick(record.key, record.value)
    except ValueError as error:
        where = f"{record.topic}, partition {record.partition}, offset {record.offset}"
        click.echo(f"not a tag change: {where}: {error}", err=True)
        return None


def _as_text() -> Show:
    console = Console(highlight=False, markup=False, emoji=False)
    return lambda value, change: console.print(change_line(change), soft_wrap=True)


def _as_json(value: bytes, change: TagChange) -> None:
    sys.stdout.buffer.write(value + b"\n")
    sys.stdout.buffer.flush()
