"""stream-app dead-letters: look at what was refused, and send it again once it is repaired."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from datetime import datetime
from typing import Any, Final

import click
from rich.console import Console

from stream_app.cli._letters import counts, described, lines, plain, printable, text_or_hex
from stream_app.domain.errors import Reason
from stream_app.engine import load_catalogue
from stream_app.engine.catalogue import Program
from stream_app.kafka.dead_letter_queue.letters import Position, Wanted
from stream_app.kafka.dead_letter_queue.repair import Repair, Repaired, Unfit, field_of, repair
from stream_app.kafka.dead_letter_queue.retry import read_letters, send
from stream_app.resolve import resolve
from stream_app.settings import Settings

_UNITS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DEFAULT_LIMIT: Final = 20


class Since(click.ParamType):
    """`2h` before now, or a time such as 2026-03-01T12:00:00Z; as epoch milliseconds."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        ago = re.fullmatch(r"([0-9]{1,9})([smhd])", str(value))
        if ago:
            return int(time.time() * 1000) - int(ago[1]) * _UNITS_MS[ago[2]]
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            self.fail(f"{value!r}; expected 2h, 7d or 2026-03-01T12:00:00Z", param, ctx)
        return int(at.timestamp() * 1000)


servers = click.option(
    "--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas."
)


def filters(command: Any) -> Any:
    """The options that say which dead letters."""
    for option in (
        click.option(
            "--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas."
        ),
        click.option("--since", type=Since(), default=0, help="Refused since: 2h, 7d, or a time."),
        click.option("--topic", "topics", multiple=True, help="Read from this topic only."),
        click.option(
            "--reason",
            "reasons",
            multiple=True,
            type=click.Choice([reason.value for reason in Reason]),
            metavar="REASON",
            help="Refused for this reason only; may be repeated.",
        ),
    ):
        command = option(command)
    return command


@click.group()
def command() -> None:
    """Look at refused events, and send them again once they are repaired.

    A dead letter is named by its PARTITION:OFFSET on the topic dead-letters.
    """


@command.command("list")
@filters
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=_DEFAULT_LIMIT,
    show_default=True,
    help="Show so many, the newest.",
)
@click.option(
    "--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def list_letters(
    limit: int,
    shape: str,
    since: int,
    topics: tuple[str, ...],
    reasons: tuple[str, ...],
    bootstrap_servers: str | None,
) -> None:
    """Count dead letters by reason and topic, and list the newest."""
    settings = resolve(bootstrap_servers=bootstrap_servers)
    wanted = Wanted(frozenset(reasons), frozenset(topics), since)
    listing = asyncio.run(read_letters(settings, wanted, limit))
    if shape == "json":
        click.echo(json.dumps(plain(listing), ensure_ascii=False))
        return
    console = Console()
    if not listing.counts:
        console.print("No dead letters.")
        return
    console.print(counts(listing))
    for line in lines(listing):
        click.echo(line)


@command.command()
@click.argument("position", metavar="PARTITION:OFFSET")
@servers
def show(position: str, bootstrap_servers: str | None) -> None:
    """Show one: why, from where, its bytes, and whether it would be taken now."""
    settings = resolve(bootstrap_servers=bootstrap_servers)
    wanted = Wanted(positions=frozenset([Position.of(position)]))
    listing = asyncio.run(read_letters(settings, wanted))
    (letter,) = listing.letters
    program = _program(settings)
    verdict = repair(letter, Repair(), program.decoder, int(time.time() * 1000))
    for name, value in described(letter, listing, verdict):
        click.echo(f"{name:<9} {value}")
    click.echo()
    click.echo(text_or_hex(letter.value))


@command.command()
@click.argument("positions", nargs=-1, metavar="[PARTITION:OFFSET]...")
@filters
@click.option("--edit", type=click.File("rb"), help="Send what is in this file (-: input) instead.")
@click.option("--set", "fields", multiple=True, metavar="FIELD=VALUE", help="Change a field.")
@click.option("--yes", is_flag=True, help="Send all that the filters take, not only tell.")
@click.option("--again", is_flag=True, help="Also what has been sent before.")
def retry(
    positions: tuple[str, ...],
    edit: Any,
    fields: tuple[str, ...],
    yes: bool,
    again: bool,
    since: int,
    topics: tuple[str, ...],
    reasons: tuple[str, ...],
    bootstrap_servers: str | None,
) -> None:
    """Send dead letters to their topics again, as they are or repaired; each once.

    Named ones are sent at once; those that filters take only with --yes, without it they are told.
    What the worker would refuse again is not sent, and the exit code is 1.
    """
    settings = resolve(bootstrap_servers=bootstrap_servers)
    named = frozenset(map(Position.of, positions))
    if not (named or topics or reasons or since):
        raise click.UsageError("say which: PARTITION:OFFSET, or --reason, --topic, --since")
    if edit is not None and len(named) != 1:
        raise click.UsageError("--edit replaces the bytes of one dead letter: name it")
    change = Repair(None if edit is None else edit.read(), dict(map(field_of, fields)))
    wanted = Wanted(frozenset(reasons), frozenset(topics), since, named)
    sys.exit(asyncio.run(_retry(settings, wanted, change, yes=yes or bool(named), again=again)))


async def _retry(
    settings: Settings, wanted: Wanted, change: Repair, *, yes: bool, again: bool
) -> int:
    program = _program(settings)
    listing = await read_letters(settings, wanted)
    now = int(time.time() * 1000)
    judged = [
        repair(letter, change, program.decoder, now)
        for letter in reversed(listing.letters)
        if again or letter.position not in listing.retried
    ]
    fit = [one for one in judged if isinstance(one, Repaired)]
    unfit = [one for one in judged if isinstance(one, Unfit)]
    for letter, why in unfit:
        click.echo(f"{letter.position} would be refused again: {printable(why)}", err=True)
    before = len(listing.letters) - len(judged)
    if yes:
        notes, known = await send(settings, fit, program.partitioner, again=again)
        for note in notes:
            click.echo(f"{note.position} is sent: {note.sent}")
        click.echo(_summary(len(notes), len(unfit), before + len(known)), err=True)
    else:
        for one in fit:
            click.echo(f"{one.letter.position} would be sent")
        click.echo(f"{len(fit)} would be sent: --yes sends them", err=True)
    return 1 if unfit else 0


def _summary(sent: int, unfit: int, before: int) -> str:
    parts = [f"{sent} sent"]
    if unfit:
        parts.append(f"{unfit} not, which would be refused again")
    if before:
        parts.append(f"{before} passed over, which had been sent before (--again sends them)")
    return "; ".join(parts)


def _program(settings: Settings) -> Program:
    # Imported here: it brings Faust, which takes a second.
    from stream_app.app import limits_of

    return load_catalogue(settings.catalog).compile(limits_of(settings))
