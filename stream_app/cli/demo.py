"""stream-app demo: start a Kafka, replay real shop data, watch tags change and models learn."""

from __future__ import annotations

import sys
import time
from datetime import date, datetime
from pathlib import Path

import click
from rich.console import Console

from stream_app.cli._demo.feed import YEAR, Slice
from stream_app.cli._demo.run import Demo, Plan
from stream_app.cli._demo.screen import Screen
from stream_app.cli._signals import terminated_like_interrupted
from stream_app.cli.produce import Speed
from stream_app.resolve import resolve

#: Of tables in a file.
_WIDTH = 110
_INTERRUPTED = 130
_DATE = click.DateTime(formats=["%Y-%m-%d"])


@click.command()
@click.option(
    "--households", type=click.IntRange(1, 2469), default=500, show_default=True, help="How many."
)
@click.option(
    "--from",
    "start",
    type=_DATE,
    metavar="DATE",
    default="2017-01-01",
    help="First day, in 2017; default: 2017-01-01.",
)
@click.option(
    "--to",
    "end",
    type=_DATE,
    metavar="DATE",
    default="2017-07-01",
    help="Day after the last; default: 2017-07-01.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="How long the replay is to take; 0: as fast as possible.",
)
@click.option(
    "--speed", type=Speed(), help="Instead of --seconds: so many times faster than real time."
)
@click.option("--keep", is_flag=True, help="Leave Kafka and the worker running.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=".demo",
    show_default=True,
    help="Folder of the embedded Kafka's data and of the worker's log.",
)
@click.option("--bootstrap-servers", help="A Kafka of your own, host:port, separated by commas.")
def command(
    households: int,
    start: datetime,
    end: datetime,
    seconds: float,
    speed: float | None,
    keep: bool,
    folder: Path,
    bootstrap_servers: str | None,
) -> None:
    """Start a Kafka, a worker and a trainer, replay a part of a shop's year, show tags change.

    Purchases are real (dunnhumby, The Complete Journey, 2017), clicks are simulated. Nothing has to
    be installed, and nothing is left running. Where STREAM_APP_BOOTSTRAP_SERVERS is set, that
    Kafka is used, with topics of the demo's own, which are removed afterwards.
    """
    settings = resolve(bootstrap_servers=bootstrap_servers)
    cluster = "bootstrap_servers" in settings.model_fields_set
    part = Slice(households, *_span(start.date(), end.date()), seconds, speed)
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH
    name = f"demo-{time.strftime('%m%d-%H%M%S')}"
    try:
        with terminated_like_interrupted():
            Demo(Plan(settings, cluster, part, folder, keep), Screen(console), name).run()
    except KeyboardInterrupt:
        click.echo("interrupted; what was started is stopped", err=True)
        sys.exit(_INTERRUPTED)


def _span(start: date, end: date) -> tuple[date, date]:
    if not YEAR[0] <= start < end <= YEAR[1]:
        raise click.BadParameter("expected 2017-01-01 <= --from < --to <= 2018-01-01")
    return start, end
