"""Filling new features from the inputs, and saying from when on they are complete."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from stream_app.domain.clock import to_rfc3339
from stream_app.domain.errors import nearest
from stream_app.engine.catalogue import Limits, load_catalogue

if TYPE_CHECKING:
    from stream_app.kafka.maintenance.filling import Filling, Kept
    from stream_app.settings import Settings

_DAY_MS: Final = 86_400_000
#: A window over all time has no end that it could be complete from.
_ALL_TIME: Final = 1 << 62


def fill_from_topic(settings: Settings, wanted: Sequence[str], *, apply: bool) -> None:
    """Look, and with `apply` fill; prints what was found."""
    # Imported here: files are folded without any client of Kafka.
    from stream_app.kafka.maintenance.backfill import backfill, look

    catalogue = load_catalogue(settings.catalog)
    features = catalogue.features
    for name in wanted:
        if not features.kept.get(name):
            near = nearest(name, [n for n, fields in features.kept.items() if fields])
            raise click.BadParameter(f"{name}: no feature that keeps anything; expected {near}")
    limits = Limits(
        max_event_bytes=settings.max_event_bytes,
        future_ms=int(settings.future_s * 1000),
        retention_ms=int(settings.retention_days * _DAY_MS),
    )
    program = catalogue.compile(limits)
    if not apply:
        found = asyncio.run(look(settings, program, wanted))
        _show(found, features.windows)
        click.echo(_advice(found))
        return
    started = time.monotonic()
    done = asyncio.run(backfill(settings, program, wanted, _say))
    _show(done, features.windows)
    click.echo(
        f"Filled {done.filled:,} of {done.users:,} profiles from {done.events:,} events in "
        f"{time.monotonic() - started:.1f} s: start the workers"
    )


def _say(step: str, what: str) -> None:
    if what:
        click.echo(f"{step}: {what}", err=True)


def _advice(found: Filling) -> str:
    if found.begun:
        return "It was broken off: --apply goes on"
    if not found.lacks:
        return (
            "Every profile knows of every feature: nothing to fill. --feature NAME fills one that "
            "workers have begun to keep already"
        )
    return "Nothing was changed. --apply fills them; stop all workers first"


def _show(found: Filling, windows: Mapping[str, tuple[int, int]]) -> None:
    for line in gone(found.kept):
        click.echo(line)
    if not found.lacks:
        return
    since = max((kept.since for kept in found.kept if kept.since is not None), default=None)
    shown = Table("feature", "profiles without it", "complete", box=SIMPLE_HEAD)
    for name, users in found.lacks.items():
        length, _ = windows.get(name, (_ALL_TIME, 0))
        shown.add_row(name, f"{users:,} of {found.users:,}", complete(since, found.time, length))
    Console().print(shown)


def gone(kept: Sequence[Kept]) -> list[str]:
    """A line for each input of which retention has deleted what the state has read."""
    lines = []
    for topic in sorted({one.part.topic for one in kept}):
        cut = [one for one in kept if one.part.topic == topic and one.gone]
        dates = [one.since for one in cut if one.since is not None]
        if cut:
            first = f"begins at {to_rfc3339(min(dates))}" if dates else "has nothing of it left"
            lines.append(
                f"{topic}: retention has deleted {sum(one.gone for one in cut):,} records that the "
                f"state has read; what is kept {first}"
            )
    return lines


def complete(since: int | None, now: int, length: int) -> str:
    """From when on a feature with a window of `length` (ms) is right, if records begin at `since`.

    `now` is the time that the state has reached.
    """
    if since is None or since <= now - length:
        return "yes"
    if length >= _ALL_TIME:
        return f"never: it counts from {to_rfc3339(since)} on"
    return f"from {to_rfc3339(since + length)} on: it counts from {to_rfc3339(since)}"
