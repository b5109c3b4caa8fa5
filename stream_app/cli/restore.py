"""stream-app restore: put the state of a backup into empty topics."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from stream_app.cli.backup import told
from stream_app.kafka.maintenance.put_back import put_back
from stream_app.resolve import resolve


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--new-inputs",
    is_flag=True,
    help="The inputs were lost too: begin at the first record of those that are there.",
)
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
def command(folder: Path, new_inputs: bool, bootstrap_servers: str | None) -> None:
    """Write the backup in FOLDER to topics that are empty or missing; workers go on from there.

    Nothing is written over, and nothing at all where a worker would not start afterwards.
    """
    settings = resolve(bootstrap_servers=bootstrap_servers)
    manifest = asyncio.run(put_back(settings, folder, new_inputs=new_inputs, progress=told))
    click.echo(f"{settings.app_id} is as it was at {manifest.at}: start the workers")
