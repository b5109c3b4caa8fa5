"""stream-app segments: show the segments in use, what sets them apart, what became of others."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console

from stream_app.cli._learning import declared
from stream_app.cli._segment_table import former, plain, shown
from stream_app.kafka.model_registry.models import ModelsError, published
from stream_app.kafka.model_training.samples import newest_samples
from stream_app.learning.declaration import Learning
from stream_app.learning.snapshot import Model, SnapshotError, current_key, decode
from stream_app.learning.tasks import SEGMENTS
from stream_app.report.extra import require_extra
from stream_app.resolve import resolve
from stream_app.settings import Settings


@click.command()
@click.option(
    "--pictures",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for pictures (PNG): users, sizes, centres. Needs the extra `report`.",
)
@click.option(
    "--format",
    "shape",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Tables for people, or JSON.",
)
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
def command(pictures: Path | None, shape: str, bootstrap_servers: str | None) -> None:
    """Show the segments in use: names, sizes, what sets them apart; and those that were before."""
    settings = resolve(bootstrap_servers=bootstrap_servers)
    learning = declared(settings)
    if pictures is not None:
        require_extra()
    found = asyncio.run(published(settings))
    model, versions = in_use(found), kept(found)
    share_of = learning.segmentation.share_of if learning.segmentation else None
    changes = former(versions)
    if shape == "json":
        value = msgspec.json.encode(plain(model, changes, share_of))
        sys.stdout.buffer.write(msgspec.json.format(value, indent=2) + b"\n")
    else:
        console = Console()
        for part in shown(model, changes, share_of):
            console.print(part)
    if pictures is not None:
        for path in asyncio.run(_draw(settings, learning, model, versions, pictures)):
            click.echo(str(path), err=True)


def in_use(found: Mapping[bytes, bytes]) -> Model:
    """The segments' model that is in use; raises ModelsError without one."""
    value = found.get(current_key(SEGMENTS))
    if value is None:
        raise ModelsError(
            "no segments are published yet: they take samples of 300 users, and `segments` in the "
            "catalogue's `learning:`"
        )
    return decode(value)


def kept(found: Mapping[bytes, bytes]) -> list[Model]:
    """The versions of segments that are kept and can be read, oldest first."""
    versions = []
    for name, value in found.items():
        task, _, number = name.decode(errors="replace").rpartition(":")
        if task == SEGMENTS and number.isdecimal():
            try:
                versions.append(decode(value))
            except SnapshotError as error:
                click.echo(f"warning: version {number} cannot be read: {error}", err=True)
    return sorted(versions, key=lambda model: model.version)


async def _draw(
    settings: Settings,
    learning: Learning,
    model: Model,
    versions: Sequence[Model],
    folder: Path,
) -> list[Path]:
    # matplotlib takes a second, and is not installed everywhere.
    from stream_app.report.pictures import centroids_heat_map, components, sizes

    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"segments-{name}.png" for name in ("centres", "sizes", "users")}
    centroids_heat_map(model, paths["centres"])
    sizes(versions or [model], paths["sizes"])
    vectors = await newest_samples(settings, learning.columns)
    if not len(vectors):
        click.echo(f"warning: no picture of users: {settings.training_topic} has none", err=True)
        del paths["users"]
        return list(paths.values())
    places = [learning.columns.index(name) for name in model.columns]
    components(model, vectors[:, places], paths["users"])
    return list(paths.values())
