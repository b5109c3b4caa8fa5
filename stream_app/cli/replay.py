"""stream-app replay: run the fold over files, without any broker."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import click
import msgspec

import stream_app.cli._one_thread  # noqa: F401 - before numpy
from stream_app.cli._bad_lines import BadLines
from stream_app.cli._from_topic import fill_from_topic
from stream_app.cli._replaying import FileReplay
from stream_app.cli._teaching import Teaching
from stream_app.data.checks import BadLine, Checker
from stream_app.data.lines import read_chunks
from stream_app.data.ndjson import open_output
from stream_app.domain.changes import encode
from stream_app.domain.clock import from_rfc3339, to_rfc3339
from stream_app.engine.catalogue import load_catalogue
from stream_app.engine.replay import Replay
from stream_app.engine.step import Step
from stream_app.resolve import resolve
from stream_app.settings import Settings

_DAY_MS = 86_400_000


class Moment(click.ParamType):
    """RFC 3339 or epoch milliseconds."""

    name = "moment"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        text = str(value)
        if text.isdigit():
            return int(text)
        try:
            return from_rfc3339(text)
        except ValueError:
            self.fail(f"{text!r}; expected 2026-01-31T12:00:00Z or epoch milliseconds", param, ctx)


OUT = click.Path(dir_okay=False, path_type=Path)
IN = click.Path(dir_okay=False, exists=True, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("files", nargs=-1, metavar="FILE…|-")
@click.option("--from-topic", is_flag=True, help="Fill new features of the live state, see below.")
@click.option(
    "--feature", "wanted", multiple=True, help="With --from-topic: fill this in all rows."
)
@click.option("--plan", "apply", flag_value=False, default=False, help="Only look (the default).")
@click.option("--apply", "apply", flag_value=True, help="Do it: with --from-topic.")
@click.option("--catalog", help="Catalogue file, or the name of one that ships.")
@click.option("--clock", type=click.Choice(["event"]), default="event", help="What moves time.")
@click.option("--as-of", type=Moment(), help="Moment of the final features and tags.")
@click.option("--partitions", type=click.IntRange(1), default=1, show_default=True)
@click.option("--features", type=OUT, help="Write each user's final feature values there.")
@click.option("--tags", type=OUT, help="Write each user's final tags there.")
@click.option("--dead-letters", type=OUT, help="Write refused lines there.")
@click.option("--learn", type=FOLDER, help="Learn on the way; write a report and the models there.")
@click.option("--models", type=IN, help="Decide by the models.ndjson that --learn has written.")
@click.option("--simulated-clicks", is_flag=True, help="Mark what reads clicks as no evidence.")
@click.option("--max-jump", type=float, default=31, show_default=True, help="Days, see below.")
def command(
    files: tuple[str, ...],
    from_topic: bool,
    wanted: tuple[str, ...],
    apply: bool,
    catalog: str | None,
    clock: str,
    **folding: Any,
) -> None:
    """Fold events from files and print tag changes as NDJSON.

    FILE is NDJSON, an event a line, gzip or plain; - is standard input. The same events give the
    same features as a worker at the same moment. Files carry no Kafka timestamps: an event over
    --max-jump days after all events before it is refused. The summary goes to standard error.

    With --learn DIR, examples are drawn at each day's end, learned from when their outcomes are
    known, and every version of a model decides from the moment at which it comes out. DIR gets
    models.ndjson, the models in that order, and a report of how good they were: report.md,
    report.json and pictures. With --models FILE nothing is learned, and the recorded models decide;
    give both, and the report is about those. Reports need the extra `report`.

    With --from-topic there are no files: while all workers are stopped, the inputs are folded from
    their first record kept up to where the live state has read them, and what the state's rows lack
    of the catalogue's features is written into them. --feature fills a feature in all rows, also
    where workers have kept it for a while. It is said from when on a feature is complete. Killed
    and run again, it goes on; until it has ended, workers refuse to start.
    """
    settings = resolve(catalog=catalog)
    if from_topic == bool(files):
        raise click.UsageError("Give files to fold, or --from-topic and no files.")
    if from_topic:
        fill_from_topic(settings, wanted, apply=apply)
        return
    if wanted or apply:
        raise click.UsageError("--feature and --apply belong to --from-topic.")
    bad = _fold(settings, files, Folding(**folding))
    raise SystemExit(1 if bad else 0)


@dataclass(frozen=True)
class Folding:
    """How files are folded, and where what comes of it goes; see the options of these names."""

    as_of: int | None
    partitions: int
    features: Path | None
    tags: Path | None
    dead_letters: Path | None
    learn: Path | None
    models: Path | None
    simulated_clicks: bool
    max_jump: float


def _fold(settings: Settings, files: tuple[str, ...], given: Folding) -> int:
    """Fold, write all that is wanted, and return how many lines were bad."""
    loaded = load_catalogue(settings.catalog)
    replaying = Replay(loaded.compile(), given.partitions)
    run = FileReplay(replaying, int(given.max_jump * _DAY_MS))
    learning = given.learn or given.models
    taught = Teaching(replaying, loaded, given.learn, given.models) if learning else None
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        kept = given.dead_letters
        letters = stack.enter_context(kept.open("wb")) if kept else None
        out = stack.enter_context(open_output("-"))
        bad = BadLines(letters, strict=False)
        for step, refused in _steps(files, settings.max_event_bytes, run, given.as_of):
            bad.report(refused)
            _print(out, step)
            if taught and step:
                taught.after(step)
    if given.features:
        _write(given.features, _feature_lines(run.replay, given.as_of))
    if given.tags:
        _write(given.tags, (encode(state) for state in run.replay.states()))
    click.echo(_summary(run, bad.count, time.monotonic() - started), err=True)
    if taught:
        taught.finish(run.tally.events, simulated_clicks=given.simulated_clicks)
    return bad.count


def _steps(
    files: tuple[str, ...], max_event_bytes: int, run: FileReplay, as_of: int | None
) -> Iterator[tuple[Step | None, list[BadLine]]]:
    checker = Checker(max_event_bytes=max_event_bytes, future_ms=None, retention_ms=None)
    for name in files:
        for chunk in read_chunks(name):
            checked = checker.check(chunk, 0)
            yield None, checked.bad
            yield from run.feed(checked)
    for step in run.finish(as_of):
        yield step, []


def _print(out: Any, step: Step | None) -> None:
    if step is not None and step.outputs.changes:
        out.write(b"".join(encode(change) + b"\n" for change in step.outputs.changes))


def _feature_lines(replay: Replay, as_of: int | None) -> Iterator[bytes]:
    for user, at, values in replay.read(as_of):
        yield msgspec.json.encode({"user_id": user, "as_of": to_rfc3339(at), "features": values})


def _write(path: Path, lines: Iterator[bytes]) -> None:
    with open_output(str(path)) as file:
        _write_lines(file, lines)


def _write_lines(file: IO[bytes], lines: Iterator[bytes]) -> None:
    for line in lines:
        file.write(line + b"\n")


def _summary(run: FileReplay, bad: int, seconds: float) -> str:
    tally = run.tally
    added = ", ".join(f"{cls} {n:,}" for cls, n in sorted(tally.by_class.items())) or "none"
    return (
        f"{tally.events:,} events of {run.replay.users:,} users in {seconds:.1f} s "
        f"({tally.events / max(seconds, 1e-9):,.0f} events/s), {tally.duplicates:,} duplicates, "
        f"{bad:,} bad lines; {tally.changes:,} tag changes; added by class: {added}"
    )
