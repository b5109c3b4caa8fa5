"""stream-app check: validate settings and a catalogue, and print what was compiled."""

from __future__ import annotations

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stream_app.engine.catalogue import ROW_BUDGET, Catalogue, load_catalogue, row_bytes
from stream_app.resolve import resolve, show
from stream_app.tagging import Flag, Learned, Listed, TagDeclaration, Valued

_BOX = box.SIMPLE_HEAD


@click.command()
@click.argument("catalog", required=False, metavar="[CATALOGUE]")
@click.option("--settings/--no-settings", default=True, help="Show the settings too.")
def command(catalog: str | None, settings: bool) -> None:
    """Validate the settings and a catalogue, and print features and tags with their bytes.

    CATALOGUE is a file or the name of one that ships; without it the one of the settings. The exit
    code is 2 if anything is wrong: the message names file, line and field.
    """
    resolved = resolve(catalog=catalog)
    console = Console()
    if settings:
        console.print("Settings", style="bold")
        console.print(show(resolved), highlight=False, soft_wrap=True)
        console.print()
    checked = load_catalogue(resolved.catalog)
    console.print(_features(checked))
    console.print(_tags(checked))
    size = row_bytes(checked)
    names = len(checked.features.names), len(checked.tags.names)
    console.print(
        f"{checked.file} is valid: {names[0]} features, {names[1]} tags, revision "
        f"{checked.revision}. A profile takes {size} of at most {ROW_BUDGET} bytes."
    )


def _features(catalogue: Catalogue) -> Table:
    costs = catalogue.features.describe()
    notes = dict.fromkeys(cost.note for cost in costs if cost.note)
    marks = {note: f" [{i}]" for i, note in enumerate(notes, 1)}
    table = Table("feature", "kind", "bytes", "shares its bytes with", title="Features", box=_BOX)
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    table.columns[2].justify = "right"
    table.caption = "\n".join(f"[{i}] {note}" for i, note in enumerate(notes, 1))
    table.caption_justify = "left"
    for cost in costs:
        name = escape(cost.name + marks.get(cost.note, ""))
        table.add_row(name, cost.kind, str(cost.bytes), ", ".join(cost.shared_with))
    return table


def _tags(catalogue: Catalogue) -> Table:
    table = Table("tag", "class", "what it means", "rule", title="Tags", box=_BOX)
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for tag in catalogue.tags.declarations.values():
        table.add_row(tag.name, tag.cls, escape(tag.description), escape(_rule(tag)))
    return table


def _rule(tag: TagDeclaration) -> str:
    match tag.form:
        case Flag(when=when, until=until):
            return when.source if until is None else f"{when.source}\nuntil {until.source}"
        case Learned(source=source, bands=bands):
            return f"decided by a {source}" + (f": {', '.join(bands)}" if bands else "")
        case Valued(cases=cases):
            return "\n".join(f"{value}: {condition.source}" for value, condition in cases)
        case Listed(feature=feature, top=top, min_share=least):
            return f"the {top} heaviest of {feature} with a share of at least {least:g}"
