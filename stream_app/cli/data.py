"""stream-app data: write real shop data (purchases real, clicks simulated) as NDJSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import click

from stream_app.data import Message, Selection, load_shop, messages
from stream_app.data.ndjson import STANDARD, Written, open_output, write
from stream_app.data.stream import DEFAULT_SEED

NOTE = "Purchases are real (dunnhumby Complete Journey, 2017); clicks are simulated."
_DATE = click.DateTime(formats=["%Y-%m-%d"])


@click.command()
@click.option("--households", type=click.IntRange(min=1), help="How many; default: all 2,469.")
@click.option("--from", "start", type=_DATE, help="First day, shop's local date, in 2017.")
@click.option("--to", "end", type=_DATE, help="Day after the last.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=DEFAULT_SEED,
    show_default=True,
    help="Seed of the simulated clicks.",
)
@click.option(
    "--clicks/--no-clicks",
    default=True,
    show_default=True,
    help="With the simulated clicks, or the real purchases alone.",
)
@click.option(
    "--out", default=STANDARD, show_default="standard output", help="File; gzip if it ends in .gz."
)
def command(
    households: int | None,
    start: datetime | None,
    end: datetime | None,
    seed: int,
    clicks: bool,
    out: str,
) -> None:
    """Write a year of shop data in the order of event time, an event a line.

    Purchases are real: the dunnhumby Complete Journey, 2,469 households in 2017. Clicks are
    simulated from a seed: the same options give the same bytes, and a household does the same in
    every selection.
    """
    if start and end and start >= end:
        raise click.BadParameter("must be after --from", param_hint="--to")
    selection = Selection(
        households=households,
        start=start.date() if start else None,
        end=end.date() if end else None,
        seed=seed,
        clicks=clicks,
    )
    with open_output(out) as file, _progress() as advance:
        written = write(messages(load_shop(), selection), file, advance)
    click.echo(summary(written, clicks), err=True)


def summary(written: Written, clicks: bool) -> str:
    """Two lines: what was written, and that the clicks are not real."""
    counts = written.messages
    lines = f"{counts['purchases']:,} purchases, {counts['clicks']:,} clicks "
    lines += f"of {len(written.users):,} users"
    return f"{lines}\n{NOTE}" if clicks else lines


@contextmanager
def _progress() -> Iterator[Callable[[Message], None] | None]:
    """A line on standard error that shows the day reached, if a person is watching."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("Reading the tables") as status:

        def advance(last: Message) -> None:
            status.update(f"{datetime.fromtimestamp(last.at / 1000):%d %B %Y}")

        yield advance
