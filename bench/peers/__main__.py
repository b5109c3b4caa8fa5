"""`python -m bench.peers`: check, kill and measure; writes bench/peers/results.json."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson

from bench import machine
from bench.peers import report, trials
from bench.peers.roster import CONTENDERS, Contender
from bench.peers.versions import installed, versions
from bench.processes import MeasureError
from stream_app.kafka.embedded import EmbeddedKafka
from stream_app.kafka.embedded.runtime import KAFKA_VERSION

PARTS = ("check", "kill", "rate")


@click.command()
@click.option("--only", help=f"Contenders, by commas: {', '.join(c.name for c in CONTENDERS)}.")
@click.option("--parts", default=",".join(PARTS), show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--quick", is_flag=True, help="Small sizes: does it run? The figures mean nothing.")
@click.option("--share", type=click.FloatRange(0.01), default=1.0, show_default=True)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep logs here.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=report.RESULTS)
def main(
    only: str | None,
    parts: str,
    rounds: int,
    quick: bool,
    share: float,
    keep: Path | None,
    output: Path,
) -> None:
    """Measure stream_app and its peers on the same job.

    --share makes users and backlogs of the rates smaller or larger.
    What is measured replaces what --output has of it; all else there stays.
    """
    contenders = _chosen(only)
    sizes = trials.QUICK if quick else trials.Sizes().scaled(share)
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    found: dict[str, Any] = orjson.loads(output.read_bytes()) if output.exists() else {}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    about = machine.about(KAFKA_VERSION, date, vars(sizes))
    with tempfile.TemporaryDirectory(prefix="stream-app-peers-") as scratch:
        folder = keep or Path(scratch)
        with EmbeddedKafka(Path(scratch) / "kafka", port=0, say=click.echo) as kafka:
            found["versions"] = versions(list(CONTENDERS))
            bench = _Bench(kafka, folder, sizes, found, output, about)
            for part in parts.split(","):
                bench.run(part, contenders, rounds)
    click.echo(f"\n{report.table(found)}")


def _chosen(only: str | None) -> list[Contender]:
    """The contenders named, in their order; all without names."""
    known = {contender.name: contender for contender in CONTENDERS}
    names = only.split(",") if only else list(known)
    if unknown := set(names) - known.keys():
        raise click.BadParameter(f"no contender {', '.join(unknown)}: there are {', '.join(known)}")
    return [contender for name, contender in known.items() if name in names]


class _Bench:
    """Runs trials and writes down each as it ends; one that fails is written down as failed."""

    def __init__(
        self,
        kafka: EmbeddedKafka,
        folder: Path,
        sizes: trials.Sizes,
        found: dict[str, Any],
        output: Path,
        about: dict[str, Any],
    ) -> None:
        self._kafka = kafka
        self._folder = folder
        self._sizes = sizes
        self._found = found
        self._output = output
        self._about = about

    def run(self, part: str, contenders: list[Contender], rounds: int) -> None:
        """Run one part; rates round by round, every second in reverse, so that sides alternate."""
        if part == "rate":
            self._found["job_us_per_event"] = round(trials.alone(), 1)
            for contender in contenders:
                self._entry(contender)["rate"] = []
            for number in range(rounds):
                for contender in contenders[:: -1 if number % 2 else 1]:
                    self._rate(contender, number)
            return
        trial = {"check": trials.check, "kill": trials.kill}[part]
        for contender in contenders:
            if part == "kill" and not contender.survives:
                continue
            self._entry(contender)[part] = self._tried(
                contender,
                part,
                lambda c=contender: asyncio.run(trial(c, self._kafka, self._folder, self._sizes)),
            )
            self._write()

    def _rate(self, contender: Contender, number: int) -> None:
        measured = self._tried(
            contender,
            "rate",
            lambda: asyncio.run(
                trials.rate(contender, self._kafka, self._folder, self._sizes, number)
            ),
        )
        self._entry(contender)["rate"].append(measured)
        self._found["about"] = self._about
        self._write()

    def _entry(self, contender: Contender) -> dict[str, Any]:
        return self._found.setdefault("contenders", {}).setdefault(contender.name, {})

    @staticmethod
    def _tried(
        contender: Contender, part: str, trial: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        try:
            if not installed(contender):
                raise MeasureError("it is not installed: python -m bench.peers.install")
            found = trial()
        except Exception as error:
            traceback.print_exc()
            found = {"failed": (str(error) or type(error).__name__).splitlines()[0][:300]}
        click.echo(f"  {part} {contender.name}: {', '.join(f'{k} {v}' for k, v in found.items())}")
        return found

    def _write(self) -> None:
        self._output.write_bytes(orjson.dumps(self._found, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    main()
