"""stream-app broker: run a real Kafka on this machine, for development and demos."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from stream_app.cli._signals import terminated_like_interrupted
from stream_app.kafka.embedded import (
    BrokerError,
    EmbeddedKafka,
    default_data_dir,
    running_on,
    stop_on,
)


@click.command()
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="STREAM_APP_BROKER_DIR",
    help="Where its data is kept. Default: a folder in the user's state folder.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="Port on 127.0.0.1; 0 takes any free one. Default: 9092.",
)
@click.option("--heap", default="1g", show_default=True, help="Java's greatest heap.")
@click.option("--detach", "action", flag_value="detach", help="Start it and leave it running.")
@click.option("--stop", "action", flag_value="stop", help="Stop the one that runs.")
@click.option("--status", "action", flag_value="status", help="Say whether one runs.")
def command(data_dir: Path | None, port: int | None, heap: str, action: str | None) -> None:
    """Run a real Apache Kafka on this machine, reachable from here only.

    Nothing has to be installed: Java comes with the package, Kafka is downloaded once. Without an
    option it runs until Ctrl-C. A broker that already runs on the data folder is used as it is.
    """
    folder = data_dir or default_data_dir()
    if action == "stop":
        _stop(folder)
    elif action == "status":
        _status(folder)
    else:
        _run(EmbeddedKafka(folder, port, heap=heap, bound=action != "detach", say=click.echo))


def _stop(folder: Path) -> None:
    stopped = stop_on(folder)
    click.echo(f"stopped the broker (pid {stopped.pid})" if stopped else "no broker is running")


def _status(folder: Path) -> None:
    running = running_on(folder)
    if running is None:
        click.echo(f"no broker is running on {folder}")
        sys.exit(1)
    click.echo(f"running on {running.bootstrap_servers}, pid {running.pid}, data in {folder}")


def _run(kafka: EmbeddedKafka) -> None:
    with terminated_like_interrupted():
        kafka.start()
        click.echo(f"Apache Kafka is ready: STREAM_APP_BOOTSTRAP_SERVERS={kafka.bootstrap_servers}")
        if not kafka.stays:
            click.echo("Ctrl-C stops it")
            _until_interrupted(kafka)
        elif kafka.owned:
            click.echo(f"it runs on as pid {kafka.pid}; `stream-app broker --stop` ends it")


def _until_interrupted(kafka: EmbeddedKafka) -> None:
    try:
        code = kafka.wait()
    except KeyboardInterrupt:
        click.echo("stopping")
        return
    finally:
        kafka.stop()
    raise BrokerError(f"the broker ended by itself (exit code {code}): see {kafka.log}")
