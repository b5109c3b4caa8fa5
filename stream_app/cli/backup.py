"""stream-app backup: write the state of a stopped application into files."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click

from stream_app.engine import load_catalogue
from stream_app.kafka.maintenance.backup import backup
from stream_app.resolve import resolve


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
@click.option("--catalog", help="Catalogue file, or the name of one that ships.")
def command(folder: Path, bootstrap_servers: str | None, catalog: str | None) -> None:
    """Write profiles, tags, samples and models into FOLDER, which must be empty.

    All workers and trainers have to be stopped. The inputs are not kept: `stream-app restore` needs
    them to go on, from the offsets that the backup holds.
    """
    settings = resolve(bootstrap_servers=bootstrap_servers, catalog=catalog)
    learning = load_catalogue(settings.catalog).learning is not None
    now = time.time_ns() // 1_000_000
    manifest = asyncio.run(backup(settings, folder, now, learning=learning, progress=told))
    records = sum(part.records for part in manifest.parts)
    click.echo(f"{folder}: {records:,} records of {manifest.app_id}, {manifest.at}")


def told(role: str, records: int) -> None:
    """Say that a topic is done."""
    click.echo(f"{role}: {records:,} records", err=True)
