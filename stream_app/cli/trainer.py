"""stream-app trainer: learn from the training topic and publish models."""

from __future__ import annotations

import logging
import os
from typing import Any

import click
import uvloop

from stream_app.resolve import resolve, show
from stream_app.settings import Settings

# Threads only get in the way of small matrices, and would add in another order each time; numpy
# reads this when it is first imported, which is later.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@click.command()
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
@click.option("--catalog", help="Catalogue file, or the name of one that ships.")
@click.option("--http-port", type=int, help="Port of /metrics, /livez and /readyz.")
@click.option(
    "--rebuild",
    is_flag=True,
    help="Publish models anew where what is learned now differs from what is published.",
)
@click.option("--until-end", is_flag=True, help="End when all that there is has been learned.")
@click.option(
    "--restart/--no-restart",
    default=True,
    show_default=True,
    help="Start again after a failure that a new start can mend; else exit with 75.",
)
def command(rebuild: bool, until_end: bool, restart: bool, **overrides: Any) -> None:
    """Run a trainer until SIGTERM or Ctrl-C.

    Of several with one STREAM_APP_APP_ID one is active, the others stand by. It can be killed at
    any moment: the next one learns everything anew, to the same models, and publishes what is
    missing. Exit code 78 means that an operator has to decide.
    """
    settings = resolve(**overrides)
    # Imported here: they take a second, which wrong settings should not cost.
    from stream_app.app import limits_of
    from stream_app.cli._learning import declared
    from stream_app.engine.reload import CatalogueFile
    from stream_app.kafka.ending import may_start_again
    from stream_app.kafka.model_training.lessons import Lessons
    from stream_app.kafka.model_training.trainer import run_trainer
    from stream_app.logs import set_up_logging

    lessons = Lessons(CatalogueFile(settings.catalog, limits_of(settings)), declared(settings))
    set_up_logging(settings)
    if restart:
        may_start_again()
    log = logging.getLogger("stream_app")
    log.info("Settings:\n%s", show(settings))
    _warn_of_short_retention(settings, log)
    work = run_trainer(
        settings, lessons.make_fold, reload=lessons.reload, rebuild=rebuild, until_end=until_end
    )
    uvloop.run(work)


def _warn_of_short_retention(settings: Settings, log: logging.Logger) -> None:
    from stream_app.learning.epochs import LEAST_DAYS

    if settings.training_days < LEAST_DAYS:
        log.warning(
            "STREAM_APP_TRAINING_DAYS is %g: below %d, a trainer that starts again may learn "
            "something else than it has published",
            settings.training_days, LEAST_DAYS,
        )  # fmt: skip
