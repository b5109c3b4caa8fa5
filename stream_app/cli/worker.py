"""stream-app worker: fold events into profiles and publish tag changes."""

from __future__ import annotations

import logging
import os
from typing import Any

import click
import uvloop

from stream_app.resolve import resolve, show

# Feature windows are summed by products of small matrices, where threads only get in the way; numpy
# reads this when it is first imported, which is later.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@click.command()
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
@click.option("--catalog", help="Catalogue file, or the name of one that ships.")
@click.option("--http-port", type=int, help="Port of /metrics, /livez and /readyz.")
@click.option(
    "--restart/--no-restart",
    default=True,
    show_default=True,
    help="Start again after a failure that a new start can mend; else exit with 75.",
)
def command(restart: bool, **overrides: Any) -> None:
    """Run a worker until SIGTERM or Ctrl-C.

    Several workers with one STREAM_APP_APP_ID share the partitions. A worker that is killed at any
    moment loses nothing and doubles nothing. Exit code 78 means that an operator has to decide.
    """
    settings = resolve(**overrides)
    # Imported here: Faust takes a second, which wrong settings should not cost.
    from stream_app.kafka.ending import may_start_again
    from stream_app.logs import set_up_logging
    from stream_app.worker import run_worker

    set_up_logging(settings)
    if restart:
        may_start_again()
    logging.getLogger("stream_app").info("Settings:\n%s", show(settings))
    uvloop.run(run_worker(settings))
