"""stream-app produce: check events (NDJSON) and send them to Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from stream_app.cli._bad_lines import BadLines
from stream_app.data.checks import Checked, Checker
from stream_app.data.lines import STANDARD, read_chunks
from stream_app.kafka.console.pace import Pace
from stream_app.kafka.console.produce import Sent, produce
from stream_app.resolve import resolve
from stream_app.settings import Settings


class Speed(click.ParamType):
    """`60x` or `60`: event time runs so many times faster than real time."""

    name = "factor"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)x?", str(value))
        if not match or not float(match[1]):
            self.fail(f"{value!r}; expected a factor above 0 such as 60x", param, ctx)
        return float(match[1])


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…|-")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Events a second.")
@click.option("--speed", type=Speed(), help="Replay by event time, 60x: an hour in a minute.")
@click.option(
    "--timestamps",
    type=click.Choice(["event", "now"]),
    default="event",
    show_default=True,
    help="Times of the records: the events' own, right for history, or the present.",
)
@click.option(
    "--dead-letters",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write bad lines there, as NDJSON with file, line, reason, detail, value.",
)
@click.option(
    "--strict/--skip-invalid",
    default=False,
    show_default="skip",
    help="Stop at the first bad line, or leave bad lines out and go on.",
)
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
def command(
    files: tuple[str, ...],
    rate: float | None,
    speed: float | None,
    timestamps: str,
    dead_letters: Path | None,
    strict: bool,
    bootstrap_servers: str | None,
) -> None:
    """Check events and send them to the input topics, keyed by user.

    FILE is NDJSON, an event a line, gzip or plain; - is standard input. The `type` of an event
    decides its topic. The exit code is 1 if a line was bad.
    """
    settings = resolve(bootstrap_servers=bootstrap_servers)
    event_time = timestamps == "event"
    with contextlib.ExitStack() as stack:
        letters = stack.enter_context(dead_letters.open("wb")) if dead_letters else None
        advance = stack.enter_context(_progress(files))
        bad = BadLines(letters, strict)
        chunks = _checked(files, checker(settings, event_time), bad)
        sent = asyncio.run(
            produce(chunks, settings, Pace(rate, speed), event_time=event_time, progress=advance)
        )
    click.echo(summary(sent, bad), err=True)
    sys.exit(1 if bad.count else 0)


def checker(settings: Settings, event_time: bool) -> Checker:
    """What the settings say about events; an old event is all right where it keeps its time."""
    return Checker(
        max_event_bytes=settings.max_event_bytes,
        future_ms=int(settings.future_s * 1000),
        retention_ms=None if event_time else int(settings.retention_days * 86_400_000),
    )


def _checked(files: tuple[str, ...], check: Checker, bad: BadLines) -> Iterator[Checked]:
    for name in files:
        for chunk in read_chunks(name):
            checked = check.check(chunk, int(time.time() * 1000))
            if bad.strict and checked.bad:
                first = checked.bad[0]
                bad.report([first])
                yield checked.before(first.number)
                return
            bad.report(checked.bad)
            yield checked


def summary(sent: Sent, bad: BadLines) -> str:
    """What was sent, how fast, and what was not."""
    clicks, purchases = sent.events
    text = (
        f"sent {sent.total:,} events ({clicks:,} clicks, {purchases:,} purchases) "
        f"in {sent.seconds:.1f} s: {sent.rate:,.0f} events/s"
    )
    if bad.count and bad.strict:
        return f"{text}; stopped at a bad line"
    return f"{text}; {bad.count:,} bad lines left out" if bad.count else text


@contextlib.contextmanager
def _progress(files: tuple[str, ...]) -> Iterator[Callable[[Checked, int], None]]:
    """A bar on standard error when a person is watching; its length is the files' bytes."""
    if not sys.stderr.isatty():
        yield lambda chunk, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    sizes = [Path(name).stat().st_size if name != STANDARD else 0 for name in files]
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("0 events", total=sum(sizes) or None)
        before = {name: sum(sizes[:index]) for index, name in enumerate(files)}

        def advance(chunk: Checked, total: int) -> None:
            done = before.get(chunk.file, 0) + chunk.position
            bar.update(task, completed=done, description=f"{total:,} events")

        yield advance
