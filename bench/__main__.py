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
from bench.cases import PARTS, QUICK, Bench, Sizes
from stream_app.kafka.embedded import EmbeddedKafka
from stream_app.kafka.embedded.runtime import KAFKA_VERSION


@click.command()
@click.option("--only", help=f"Parts to measure, by commas: {', '.join(PARTS)}.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--quick", is_flag=True, help="Small sizes: does it run? The figures mean nothing.")
@click.option("--long", is_flag=True, help="Watch memory over 20 million events, not 3 million.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the results; a whole run writes bench/results.json.",
)
def main(only: str | None, rounds: int, quick: bool, long: bool, output: Path | None) -> None:
    """Measure throughput, latency, restoring and memory on an embedded Kafka.

    Takes about a quarter of an hour. Leave the machine alone meanwhile.
    """
    parts = _parts(only)
    sizes = QUICK if quick else Sizes()
    if long:
        sizes = replace(sizes, flat=20_000_000)
    # Ending by SIGTERM must end what was started too.
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    date = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory(prefix="stream-app-bench-") as folder:
        found = _measure(Path(folder), sizes, parts, rounds)
    results = report.summarise(found, machine.about(KAFKA_VERSION, date, asdict(sizes)))
    click.echo(f"\n{report.table(results)}\n\n{report.provenance(results)}")
    whole = parts == PARTS and not quick
    if output or whole:
        _write(results, output or report.RESULTS)


def _parts(only: str | None) -> tuple[str, ...]:
    parts = tuple(only.split(",")) if only else PARTS
    unknown = set(parts) - set(PARTS)
    if unknown:
        raise click.BadParameter(f"{', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}")
    return parts


def _measure(
    folder: Path, sizes: Sizes, parts: tuple[str, ...], rounds: int
) -> dict[str, list[dict[str, Any]]]:
    with EmbeddedKafka(folder / "kafka", port=0, say=click.echo) as kafka:
        logs = folder / "logs"
        logs.mkdir()
        rules_only = catalogs.rules_only(folder)
        bench = Bench(kafka.bootstrap_servers, rules_only, logs, sizes, parts, click.echo)
        began = time.monotonic()
        for number in range(rounds):
            click.echo(f"round {number + 1} of {rounds}, {time.monotonic() - began:.0f} s so far")
            asyncio.run(bench.round(number, last=number == rounds - 1))
        click.echo(f"measured for {time.monotonic() - began:.0f} s")
        return bench.found


def _write(results: Any, output: Path) -> None:
    output.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2) + b"\n")
    click.echo(f"written to {output}")


if __name__ == "__main__":
    main()
