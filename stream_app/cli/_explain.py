"""stream-app models explain: why a user has the learned tags that he has, or has not."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping

import click
import msgspec
from rich.console import Console

from stream_app.cli._explained import shown
from stream_app.cli._learning import NothingToLearn
from stream_app.cli.replay import Moment
from stream_app.engine import load_catalogue
from stream_app.engine.explain import explain
from stream_app.engine.explanation import Explanation
from stream_app.kafka.console.one_profile import one_profile
from stream_app.kafka.model_registry.models import ModelsError, published
from stream_app.learning.snapshot import Model, SnapshotError, current_key, decode
from stream_app.resolve import resolve
from stream_app.settings import Settings

_CURRENT = current_key("")


@click.command("explain")
@click.argument("user")
@click.option("--at", type=Moment(), help="As of then, if no event comes. Default: now.")
@click.option(
    "--format",
    "shape",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Tables for people, or JSON.",
)
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
def explain_user(user: str, at: int | None, shape: str, bootstrap_servers: str | None) -> None:
    """Say of one user what each model makes of him, and of which features.

    Reads the user's profile and the models in use from Kafka; no worker is asked.
    """
    settings = resolve(bootstrap_servers=bootstrap_servers)
    explanation, faults = asyncio.run(_explained(settings, user, at))
    for task, fault in faults.items():
        click.echo(f"warning: the model of {task} cannot be used: {fault}", err=True)
    if shape == "json":
        value = msgspec.json.encode(explanation)
        sys.stdout.buffer.write(msgspec.json.format(value, indent=2) + b"\n")
        return
    console = Console()
    for part in shown(explanation):
        console.print(part)


async def _explained(
    settings: Settings, user: str, at: int | None
) -> tuple[Explanation, dict[str, str]]:
    program = load_catalogue(settings.catalog).compile()
    learning = program.catalogue.learning
    if learning is None:
        raise NothingToLearn(f"the catalogue {settings.catalog} declares nothing to learn")
    profiles = await one_profile(settings, program, user)
    try:
        models, faults = in_use(await published(settings))
    except ModelsError:
        # The features are worth showing before there is a first model.
        models, faults = {}, {}
    if at is None:
        wall = time.time_ns() // 1_000_000 if program.shop.clock == "wall" else 0
        at = max(profiles.time, wall)
    return explain(profiles, user, at, learning, models), faults


def in_use(found: Mapping[bytes, bytes]) -> tuple[dict[str, Model], dict[str, str]]:
    """The models in use by task, and of those that cannot be used why not."""
    models, faults = {}, {}
    for name, value in found.items():
        if name.endswith(_CURRENT):
            task = name.removesuffix(_CURRENT).decode(errors="replace")
            try:
                models[task] = decode(value)
            except SnapshotError as error:
                faults[task] = str(error)
    return models, faults
