"""stream-app acls: list the rights that each role needs of Kafka."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stream_app.engine import load_catalogue
from stream_app.kafka.client.acls import ROLES, Right, commands, rights
from stream_app.resolve import resolve


@click.command()
@click.option(
    "--format",
    "shape",
    type=click.Choice(["table", "commands", "json"]),
    default="table",
    show_default=True,
    help="For people, for a shell with Kafka's own tools, for programs.",
)
@click.option("--role", "roles", multiple=True, type=click.Choice(ROLES), help="Of these only.")
@click.option(
    "--principal",
    "named",
    multiple=True,
    metavar="ROLE=PRINCIPAL",
    help="Whom a role is given to, as worker=User:tagger. Default: User:APP_ID-ROLE.",
)
@click.option("--group", help="Consumer group of the program that reads the tags.")
@click.option(
    "--command-config",
    default="admin.properties",
    show_default=True,
    help="File with the login of Kafka's own tools, named in the commands.",
)
@click.option("--catalog", help="Catalogue file, or the name of one that ships.")
def command(
    shape: str,
    roles: tuple[str, ...],
    named: tuple[str, ...],
    group: str | None,
    command_config: str,
    catalog: str | None,
) -> None:
    """List the rights that each role needs of Kafka, and no more.

    Nothing is asked of Kafka and nothing is granted: run the commands as who may. Topics, the
    consumer group and transactional ids are those of the settings.
    """
    settings = resolve(catalog=catalog)
    learning = load_catalogue(settings.catalog).learning is not None
    principals = {role: f"User:{settings.app_id}-{role}" for role in ROLES} | _principals(named)
    found = [
        right
        for right in rights(settings, learning=learning, group=group)
        if not roles or right.role in roles
    ]
    if shape == "json":
        print(json.dumps([{"principal": principals[r.role], **asdict(r)} for r in found], indent=2))
    elif shape == "commands":
        servers = settings.bootstrap_servers
        print("\n".join(commands(found, principals, servers, command_config)))
    else:
        for role in dict.fromkeys(right.role for right in found):
            of_role = [right for right in found if right.role == role]
            Console().print(table(of_role, f"{role}: {principals[role]}"))


def _principals(named: Iterable[str]) -> dict[str, str]:
    found = {}
    for one in named:
        role, _, principal = one.partition("=")
        if role not in ROLES or ":" not in principal:
            raise click.BadParameter(
                f"{one!r} is not as worker=User:tagger; roles are {', '.join(ROLES)}",
                param_hint="--principal",
            )
        found[role] = principal
    return found


def table(found: Iterable[Right], title: str) -> Table:
    """A row for each right of a role; `*` stands for all names that begin so."""
    shown = Table("of", "name", "may", "why", box=SIMPLE_HEAD, title=title, title_justify="left")
    for column in shown.columns:
        column.overflow = "fold"
    for right in found:
        name = f"{right.name}*" if right.prefixed else right.name
        shown.add_row(*map(escape, (right.resource, name, " ".join(right.operations), right.why)))
    return shown
