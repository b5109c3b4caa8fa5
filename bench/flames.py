"""Flame graphs of a worker under load: where its time goes, Kafka's client and Faust included.

    python -m bench.flames                       # working a backlog off
    python -m bench.flames --rate 1000           # at a low rate, for the latency
    python -m bench.flames --learning --output flames.svg

A worker that knows every user runs as `make bench` has it, on an embedded Kafka of its own, and
py-spy samples it from outside. The picture goes to docs/; what is below .5 % is left out.
Sampling another process needs root, or on Linux `sysctl kernel.yama.ptrace_scope=0`.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import click

from bench import catalogs, events, flamegraph, latency
from bench.lanes import Lane
from bench.load import fill
from bench.parts import Sizes
from bench.processes import ROOT, MeasureError
from bench.seed import seed
from bench.stage import Stage, now_ms
from bench.worker import Worker
from stream_app.kafka.embedded import EmbeddedKafka

#: More events than a worker does a second: the backlog outlasts the sampling.
_BACKLOG_RATE: Final = 80_000
#: After letting it go, and before a load is at its rate.
_SETTLE_S: Final = 2.0
_HERTZ: Final = 250


@click.command()
@click.option("--rate", type=click.IntRange(0), default=0, help="Events/s; 0: a backlog.")
@click.option("--seconds", type=click.IntRange(1), default=15, show_default=True)
@click.option("--users", type=click.IntRange(1_000), default=events.USERS, show_default=True)
@click.option("--learning", is_flag=True, help="With models that score and decide.")
@click.option("--native", is_flag=True, help="Functions of C extensions too, which is slower.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Of the picture.")
def main(
    rate: int, seconds: int, users: int, learning: bool, native: bool, output: Path | None
) -> None:
    """Draw where a worker's time goes under load."""
    name = f"{'learning-' if learning else ''}{rate or 'backlog'}"
    output = output or ROOT / "docs" / f"flames-{name}.svg"
    with (
        tempfile.TemporaryDirectory(prefix="stream-app-flames-") as folder,
        EmbeddedKafka(Path(folder) / "kafka", port=0, say=click.echo) as kafka,
    ):
        catalog = catalogs.rules_only(Path(folder))
        sizes, servers = Sizes(users=users), kafka.bootstrap_servers
        stage = Stage(servers, catalog, Path(folder), sizes, (), 1, click.echo)
        try:
            lines = asyncio.run(_stacks(stage, rate, seconds, learning, native))
            root = flamegraph.crown(flamegraph.parse(lines))
        except (MeasureError, ValueError) as error:
            raise click.ClickException(str(error)) from None
    load = f"at {rate:,} events/s" if rate else "working a backlog off"
    models = ", with learning" if learning else ""
    title = f"A worker of {users:,} users {load}{models}: {root.samples:,} samples"
    output.write_text(flamegraph.svg(root, title))
    click.echo(f"{output}: {output.stat().st_size / 1000:.0f} kB, {root.samples:,} samples")


async def _stacks(stage: Stage, rate: int, seconds: int, learning: bool, native: bool) -> list[str]:
    """The collapsed stacks of a warm worker under load."""
    async with stage.lane("flames", learning=learning) as lane:
        await seed(lane, stage.sizes.users, now_ms() - events.HOUR_MS, updates=1)
        async with Worker(lane, stage.log("flames")) as worker:
            await worker.ready()
            await worker.settle()
            await worker.reach(await fill(lane, stage.events(stage.sizes.warm_up, 100)))
            load = _steady(stage, lane, worker, rate, seconds)
            async with load if rate else _backlog(stage, lane, worker, seconds):
                await asyncio.sleep(_SETTLE_S)
                return await _sample(worker, seconds, native, stage.folder / "stacks")


@asynccontextmanager
async def _backlog(stage: Stage, lane: Lane, worker: Worker, seconds: int) -> AsyncIterator[None]:
    """More events than it can do, produced while it stands still."""
    worker.freeze()
    try:
        total = int(_BACKLOG_RATE * (seconds + _SETTLE_S))
        await fill(lane, stage.events(total, 200))
    finally:
        worker.thaw()
    yield


@asynccontextmanager
async def _steady(
    stage: Stage, lane: Lane, worker: Worker, rate: int, seconds: int
) -> AsyncIterator[None]:
    """Events as they come, and a reader of what comes out, for as long as the block takes."""
    during = seconds + 3 * _SETTLE_S
    users, rng = stage.sizes.users, stage.rng(300)
    already = (await worker.sample()).events
    load = asyncio.create_task(latency.measure(lane, rate, during, users, rng, skip_s=0.0))
    try:
        # Making the events takes a while.
        await worker.reach(already + 1)
        yield
    finally:
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)


async def _sample(worker: Worker, seconds: int, native: bool, file: Path) -> list[str]:
    """py-spy's stacks of `seconds`, by function. Raises MeasureError, with what it said."""
    found = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if found is None:
        raise MeasureError("py-spy is not installed: pip install 'stream-app[bench]'")
    command = [found, "record", "--pid", str(worker.pid), "--duration", str(seconds)]
    command += ["--rate", str(_HERTZ), "--function", "--format", "raw", "--output", str(file)]
    spy = await asyncio.create_subprocess_exec(
        *command,
        *(["--native"] if native else []),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await spy.communicate()
    worker.check()
    if spy.returncode or not file.exists():
        last = said.decode(errors="replace").strip()[-600:]
        hint = "sampling another process needs root, or kernel.yama.ptrace_scope=0"
        raise MeasureError(f"py-spy failed ({hint}):\n{last}")
    return file.read_text().splitlines()


if __name__ == "__main__":
    main()
