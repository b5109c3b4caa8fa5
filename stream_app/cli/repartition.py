"""stream-app repartition: give an application that has state more partitions."""

from __future__ import annotations

import asyncio
import time

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import stream_app.cli._one_thread  # noqa: F401 - before numpy
from stream_app.domain.partitioner import PARTITIONERS
from stream_app.engine import load_catalogue
from stream_app.kafka.maintenance.moving import Sum
from stream_app.kafka.maintenance.repartition import Done, Plan, lagging, look, repartition
from stream_app.resolve import resolve


@click.command()
@click.option("--to", type=click.IntRange(1, 10_000), help="Default: STREAM_APP_PARTITIONS.")
@click.option("--plan", "apply", flag_value=False, default=False, help="Only look (the default).")
@click.option("--apply", "apply", flag_value=True, help="Do it.")
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
@click.option("--catalog", help="Catalogue file, or the name of one that ships.")
def command(
    to: int | None, apply: bool, bootstrap_servers: str | None, catalog: str | None
) -> None:
    """Move every user's profile and tags to the partition where his key belongs among --to.

    All workers have to be stopped, and all events read: stop the producers first. The topics grow
    too, inputs included. Killed at any moment and run again, it goes on; until it has ended,
    workers refuse to start. What the state adds up to is printed from before and after; the exit
    code is 1 where that differs, and workers go on refusing.
    """
    settings = resolve(bootstrap_servers=bootstrap_servers, catalog=catalog)
    place = PARTITIONERS[load_catalogue(settings.catalog).shop.partitioner]
    to = to or settings.partitions
    plan = asyncio.run(look(settings, to))
    if plan.done:
        click.echo(f"The state is spread over {to} partitions already: there is nothing to do")
        return
    Console().print(_planned(plan))
    if not apply:
        click.echo(_advice(plan))
        return
    started = time.monotonic()
    done = asyncio.run(repartition(settings, to, place, _say))
    _tell(done, plan, time.monotonic() - started)


def _planned(plan: Plan) -> Table:
    shown = Table("topic", "partitions", "then", box=SIMPLE_HEAD)
    for topic, there in plan.topics.items():
        shown.add_row(topic, str(there), str(plan.growing.get(topic, there)))
    return shown


def _advice(plan: Plan) -> str:
    if plan.begun:
        return "It was broken off: --apply goes on"
    if plan.lag:
        return f"Not yet: {lagging(plan.lag)}"
    share = 1 - plan.before / plan.after if plan.after % plan.before == 0 else None
    moving = f"about {share:.0%} of the" if share is not None else "most"
    return f"Nothing was changed. --apply moves {moving} users; stop workers and producers first"


def _say(step: str, what: str) -> None:
    if what:
        click.echo(f"{step}: {what}", err=True)


def _tell(done: Done, plan: Plan, seconds: float) -> None:
    Console().print(_sums(done.before, done.after))
    click.echo(f"users by partition: {', '.join(f'{n:,}' for n in done.users)}")
    if done.before != done.after:
        click.echo(
            "error: the state does not add up to what it was: workers refuse to start. Restore the "
            "backup from before, and keep the topics as they are for whoever looks into it",
            err=True,
        )
        raise SystemExit(1)
    late = sum(lag.events for lag in done.late)
    if late:
        click.echo(
            f"{late:,} events came meanwhile, by the old number of partitions: with "
            "STREAM_APP_ROUTE=auto workers pass those of users who have moved on; without, they "
            "become dead letters (misrouted), and `stream-app dead-letters retry` sends them to "
            "where they belong"
        )
    click.echo(
        f"Done in {seconds:.1f} s. Set STREAM_APP_PARTITIONS={plan.after} and start the workers; "
        "producers see the new partitions within five minutes (metadata.max.age.ms), or at their "
        "next start"
    )


def _sums(before: Sum, after: Sum) -> Table:
    shown = Table("", "before", "after", box=SIMPLE_HEAD)
    for name, one, other in (
        ("users", before.profiles.users, after.profiles.users),
        ("sum of their versions", before.profiles.versions, after.profiles.versions),
        ("tag states", before.states.users, after.states.users),
    ):
        shown.add_row(name, f"{one:,}", f"{other:,}")
    shown.add_row("digest of the rows", before.profiles.digest, after.profiles.digest)
    shown.add_row("digest of the tag states", before.states.digest, after.states.digest)
    return shown
