"""`python -m bench`: run the rounds, print the table, write bench/results.json."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson

from bench import catalogs, machine, report
from bench.cases import measure_round
from bench.parts import EXTRA, PARTS, QUICK, Sizes, chosen
from bench.stage import Stage
from stream_app.kafka.embedded import EmbeddedKafka
from stream_app.kafka.embedded.runtime import KAFKA_VERSION


@click.command()
@click.option("--only", help=f"Parts to measure, by commas: {', '.join((*PARTS, *EXTRA))}.")
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Every second one goes the other way round; an even number treats all parts alike.",
)
@click.option("--quick", is_flag=True, help="Small sizes: does it run? The figures mean nothing.")
@click.option("--long", is_flag=True, help="Watch memory over 20 million events, not 3 million.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the results; a whole run writes bench/results.json.",
)
@click.option("--add", is_flag=True, help=f"Add {', '.join(EXTRA)} to bench/results.json.")
def main(
    only: str | None, rounds: int, quick: bool, long: bool, output: Path | None, add: bool
) -> None:
    """Measure throughput, latency, restoring and memory on an embedded Kafka.

    Takes about twenty minutes. Leave the machine alone meanwhile.
    """
    try:
        parts = chosen(only)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--only") from None
    if add and (quick or not set(parts) <= set(EXTRA)):
        raise click.UsageError(
            f"--add goes with --only {','.join(EXTRA)} alone and without --quick: other parts are "
            "compared within a run, so measure everything"
        )
    sizes = QUICK if quick else Sizes()
    if long:
        sizes = replace(sizes, flat=20_000_000)
    # Ending by SIGTERM must end what was started too.
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    date = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory(prefix="stream-app-bench-") as folder:
        stage = _measure(Path(folder), sizes, parts, rounds)
    about = machine.about(KAFKA_VERSION, date, asdict(sizes))
    results = report.summarise(stage.found, about)
    click.echo(f"\n{report.page(results)}\n\n{_durations(stage)}")
    if add:
        results = report.added(orjson.loads(report.RESULTS.read_bytes()), results)
    whole = parts == PARTS and not quick
    if output or whole or add:
        _write(results, output or report.RESULTS)


def _measure(folder: Path, sizes: Sizes, parts: tuple[str, ...], rounds: int) -> Stage:
    with EmbeddedKafka(folder / "kafka", port=0, say=click.echo) as kafka:
        own = folder / "workers"
        own.mkdir()
        rules_only = catalogs.rules_only(folder)
        servers = kafka.bootstrap_servers
        stage = Stage(servers, rules_only, own, sizes, parts, rounds, click.echo)
        began = time.monotonic()
        for number in range(rounds):
            click.echo(f"round {number + 1} of {rounds}, {time.monotonic() - began:.0f} s so far")
            asyncio.run(measure_round(stage, number))
        click.echo(f"measured for {time.monotonic() - began:.0f} s")
        return stage


def _durations(stage: Stage) -> str:
    """How long each part took in all rounds, its topics and their events included."""
    parts = sorted(stage.took.items(), key=lambda part: -part[1])
    return "seconds: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in parts)


def _write(results: Any, output: Path) -> None:
    output.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2) + b"\n")
    click.echo(f"written to {output}")


if __name__ == "__main__":
    main()
