"""Runs a trainer in this process until it is told to stop: HTTP, topics, the lead, the work."""

from __future__ import annotations

import asyncio
import logging
import platform
import time
from collections.abc import Callable
from typing import Final

import faust
from aiokafka.errors import KafkaConnectionError, KafkaError

from stream_app import __version__
from stream_app.domain.errors import DeclarationError
from stream_app.http import PortTaken, http_server
from stream_app.kafka.client import connection
from stream_app.kafka.ending import end_process, on_stop, stay_ended
from stream_app.kafka.errors import Fatal, Refusal
from stream_app.kafka.model_training.around import NUMBER, Fold, around_of
from stream_app.kafka.model_training.leadership import Leadership
from stream_app.kafka.model_training.training import Training
from stream_app.kafka.partition.rounds import Clocks
from stream_app.kafka.topics import TopicPlan, TopicsError, ensure_topics
from stream_app.kafka.watchdog import Watchdog
from stream_app.settings import Settings

log = logging.getLogger(__name__)

_TICK_S: Final = 1.0
_LONGEST_WAIT_S: Final = 5.0
#: Stopping takes no longer, whatever hangs.
_STOP_S: Final = 8.0


async def run_trainer(
    settings: Settings,
    make_fold: Callable[[], Fold],
    *,
    reload: Callable[[], bool] = lambda: False,
    rebuild: bool = False,
    until_end: bool = False,
) -> None:
    """Run until SIGTERM or SIGINT, with `until_end` until all that there is has been folded.

    `reload` is asked every second whether `make_fold` makes another fold from now on, with which
    all is folded anew; DeclarationError says that it would but cannot. Does not return where the
    trainer fails: the process ends, see `kafka.ending`.
    """
    connection.register(settings.session_timeout_s)
    trainer = TrainerService(
        settings, make_fold, reload=reload, rebuild=rebuild, until_end=until_end
    )
    stop = asyncio.Event()
    on_stop(stop.set)
    working = asyncio.create_task(trainer.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        stay_ended()
        trainer.stop()
    stopping.cancel()
    done, _ = await asyncio.wait((working,), timeout=_STOP_S)
    if not done:
        end_process(Fatal("the trainer did not stop in time"))
    error = working.exception()
    if error is not None:
        end_process(error)


class TrainerService:
    """Stands by until it may lead, folds until it may no longer, and so on until `stop`."""

    def __init__(
        self,
        settings: Settings,
        make_fold: Callable[[], Fold],
        *,
        reload: Callable[[], bool] = lambda: False,
        rebuild: bool = False,
        until_end: bool = False,
    ) -> None:
        clocks = Clocks(wall_ms=lambda: time.time_ns() // 1_000_000, seconds=time.monotonic)
        self._around = around_of(settings, make_fold, clocks)
        self._settings, self._metrics = settings, self._around.metrics
        self._health = self._around.health
        self._rebuild, self._until_end = rebuild, until_end
        self._http = http_server(settings, self._metrics, self._health, clocks.steady_ms)
        self._watchdog = Watchdog(
            self._health, settings.stall_timeout_s, clocks.steady_ms, end_process
        )
        self._stop = asyncio.Event()
        self._reload = reload
        #: What is learned has changed: the fold begins anew.
        self._anew = asyncio.Event()

    def stop(self) -> None:
        """Have `run` leave and return."""
        self._stop.set()

    async def run(self) -> None:
        """Raises Fatal, or what is a bug, when the process has to end."""
        versions = {"python": platform.python_version(), "faust": faust.__version__}
        self._metrics.set("build", 1, version=__version__, **versions)
        try:
            await self._http.start()
            log.info("HTTP on port %d: /metrics /livez /readyz", self._http.port)
            await self._find_topics()
            if not self._stop.is_set():
                await self._take_part(Leadership(self._settings))
        except (PortTaken, TopicsError) as error:
            raise Refusal(str(error)) from error
        finally:
            await self._http.stop()

    async def _find_topics(self) -> None:
        settings, wait = self._settings, 0.5
        plan = TopicPlan.of(settings, learning=True)
        # The others are the workers': each record says how many partitions they have, and they may
        # become more while this one learns.
        own = plan.training, plan.models
        while not self._stop.is_set():
            try:
                await ensure_topics(settings.client_options(), plan, only=own)
                self._health.connected(True)
                return
            except (KafkaConnectionError, TimeoutError, OSError) as error:
                self._metrics.count("reconnects")
                log.warning("Kafka is away, next try in %.1f s: %s", wait, error)
            await any_of(self._stop, seconds=wait)
            wait = min(_LONGEST_WAIT_S, wait * 2)

    async def _take_part(self, lead: Leadership) -> None:
        await lead.join()
        self._watchdog.start()
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("work", self._work(lead)), ("group", lead.watch()), ("beat", self._beat()),
            )
        ]  # fmt: skip
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._watchdog.stop()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._leave(lead)

    async def _leave(self, lead: Leadership) -> None:
        try:
            await lead.leave()
        except (KafkaError, TimeoutError) as error:
            log.warning("Leaving the group: %r", error)

    async def _beat(self) -> None:
        while True:
            self._watchdog.beat()
            self._look_at_catalogue()
            await asyncio.sleep(_TICK_S)

    def _look_at_catalogue(self) -> None:
        try:
            if self._reload():
                self._anew.set()
        except DeclarationError as error:
            self._metrics.count("catalogue_reload_failures")
            log.error("The changed catalogue is refused, the last good one stays: %s", error)

    async def _work(self, lead: Leadership) -> None:
        while not self._stop.is_set():
            if lead.leading.is_set():
                if await self._lead(lead):
                    return
            else:
                await self._stand_by(lead)

    async def _stand_by(self, lead: Leadership) -> None:
        await any_of(lead.leading, lead.standing_by, self._stop, seconds=self._patience_s)
        if lead.standing_by.is_set():
            self._health.assigned([], self._around.now())
            log.info("Standing by: another trainer leads")
            await any_of(lead.leading, self._stop, seconds=self._patience_s)
        if self._until_end and not (lead.leading.is_set() or self._stop.is_set()):
            raise Fatal(
                f"after {self._patience_s:.0f} s another trainer leads still: stop it, or leave "
                "the work to it"
            )

    async def _lead(self, lead: Leadership) -> bool:
        """Fold while it leads; return whether all is done that was asked for."""
        self._anew.clear()
        training = Training(self._around, rebuild=self._rebuild)
        running = asyncio.create_task(training.run(until_end=self._until_end), name="training")
        ending = asyncio.create_task(any_of(lead.standing_by, self._stop, self._anew))
        try:
            await asyncio.wait((running, ending), return_when=asyncio.FIRST_COMPLETED)
            training.stop()
            return await running
        finally:
            ending.cancel()
            running.cancel()
            await asyncio.wait((running, ending))
            self._health.revoked([NUMBER])

    @property
    def _patience_s(self) -> float | None:
        """How long to wait for the lead; with `until_end` no longer than a dead leader keeps it."""
        return 2 * self._settings.session_timeout_s if self._until_end else None


async def any_of(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Return when one of the events is set, or after so many seconds."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
