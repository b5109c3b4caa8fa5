"""The demo's sentences: changes, classes and users as lines of text. See also cli/format.py."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from stream_app.cli._demo.feed import Slice
from stream_app.cli._demo.tally import ClassCount, Tally
from stream_app.cli.format import SIGNS, STYLES, named, reason
from stream_app.data.clock import ZONE
from stream_app.domain.changes import TagChange

NOTE: Final = (
    "purchases are real (dunnhumby, The Complete Journey), clicks are simulated: see docs/data.md"
)
LEGEND: Final = (
    "+ gained, − lost, ~ changed; a few of hundreds of changes a second, every kind in its turn"
)
_LABEL: Final = 10
_TAG: Final = 30
#: Tags of a user that are told with their reasons.
_TOLD: Final = 5


def label(name: str, text: str) -> tuple[Text, Text]:
    """A stage's line in two columns: its name, and what is going on."""
    return Text(f"{name:<{_LABEL}}", style="bold cyan"), Text(text)


def title() -> Text:
    """What the demo is, in three lines."""
    return Text.assemble(
        ("stream_app", "bold"),
        " tags shop users while they shop. You will see a real Kafka, a worker and a trainer\n"
        "start, a shop's purchases and clicks of 2017 pass in fast motion, and tags change, each\n"
        "with why: rules decide some of them, models that learn meanwhile the others.",
    )


def pace(part: Slice) -> str:
    """How fast the slice passes."""
    if part.factor is None:
        return "as fast as possible"
    return (
        f"{part.factor / 86_400:.2g} days a second, about {part.days * 86_400 / part.factor:.0f} s"
    )


def day(ms: int) -> str:
    """Such as ` 3 Oct`, where the shop is."""
    return f"{datetime.fromtimestamp(ms / 1000, ZONE):%e %b}"


def change_row(change: TagChange) -> tuple[Text, Text]:
    """One change in two columns: day, user and what; and why."""
    tag, style = tag_name(change), STYLES[change.action]
    what = Text.assemble(
        (f"{day(change.occurred_at)}  ", "dim"),
        (f"{change.user_id:<7}", "cyan"),
        (f"{SIGNS[change.action]} {tag}", style),
        " " * max(_TAG - len(tag) - 2, 0) + "  ",
    )
    return what, Text(_in_words(change) + reason(change))


def _in_words(change: TagChange) -> str:
    """What a model's tag is called and was before: `"many orders" (was s4) `, `(was top) `."""
    if change.source.kind not in ("model", "segment") or change.value is None:
        return ""
    label = f'"{change.source.label}" ' if change.source.label else ""
    before = named(change.previous)
    return label + (f"(was {before}) " if before and before != named(change.value) else "")


def meaning_row(description: str) -> tuple[Text, Text]:
    """What a tag means, under the first change of it."""
    return Text(" " * 15), Text(" ".join(description.split()), style="dim italic")


def tag_name(change: TagChange) -> str:
    """A tag with its value, or with the one that it had: `interest = beer, wine`."""
    value = named(change.value) or named(change.previous)
    return f"{change.tag} = {value}" if value else change.tag


def class_table(counts: list[ClassCount], users: int) -> Table:
    """A class a row, and how many of `users` have which of its tags now."""
    shown = Table("class", "users", "changes", "tags that most users have now", box=SIMPLE_HEAD)
    for column in (1, 2):
        shown.columns[column].justify = "right"
    for count in counts:
        tags = ", ".join(f"{tag} {n:,}" for tag, n in count.commonest)
        row = count.name, f"{count.users:,} of {users:,}", f"{count.changes:,}", tags or "none"
        shown.add_row(*row)
    return shown


def user_rows(tally: Tally, user: str, events: int) -> Iterator[tuple[Text, Text]]:
    """Yield a user's tags as they are now: the rarest with their reasons, the others by name."""
    told = tally.rarest(user, _TOLD)
    others = [tag_name(change) for change in tally.of(user) if change not in told]
    yield Text(user, style="bold cyan"), Text(f"  {events:,} events")
    for change in told:
        since = f"since {day(change.occurred_at)}: "
        tag = Text(f"  {tag_name(change):<{_TAG}}  ", style="green")
        yield tag, Text.assemble((since, "dim"), _in_words(change) + reason(change))
    if others:
        yield Text("  and "), Text(f"{len(others)} more: {', '.join(others)}", style="dim")
