"""What a worker does beside its agents: topics, HTTP, time, offsets, reload, watchdog."""

from __future__ import annotations

import asyncio
import logging
import platform
from collections.abc import Callable, Iterable
from typing import Any, Final

import faust
from aiokafka.errors import KafkaConnectionError, KafkaError
from faust.types import TP

from stream_app import __version__
from stream_app.domain.errors import DeclarationError, Reason
from stream_app.engine.reload import CatalogueFile
from stream_app.health import Health
from stream_app.http import PortTaken, http_server
from stream_app.kafka.errors import Fatal, Refusal
from stream_app.kafka.faust_adapters.partitions import Partitions
from stream_app.kafka.input_topics.purge import Purge
from stream_app.kafka.model_registry.in_use import ModelsInUse
from stream_app.kafka.partition.surroundings import Surroundings
from stream_app.kafka.topics import TopicPlan, TopicsError, ensure_topics
from stream_app.kafka.topics.left import routed_topic
from stream_app.kafka.watchdog import Watchdog

log = logging.getLogger(__name__)

_TICK_S: Final = 1.0
#: The group's offsets are for lag displays and autoscalers only.
_PUBLISH_EVERY: Final = 5
_LONGEST_WAIT_S: Final = 5.0
#: Without a fetch answered for so long (ms), the brokers count as away.
_AWAY_MS: Final = 10_000


class WorkerService:
    """Connects the partition tasks to Faust's rebalances and keeps the worker's housekeeping."""

    def __init__(
        self,
        app: faust.App,
        around: Surroundings,
        partitions: Partitions,
        catalogue: CatalogueFile,
        health: Health,
        in_use: ModelsInUse,
        subscribe: Callable[[str], None],
    ) -> None:
        self._app = app
        self._subscribe = subscribe
        self._reads_routed = False
        self._around = around
        self._partitions = partitions
        self._catalogue = catalogue
        self._health = health
        self._in_use = in_use
        settings, now_ms = around.settings, around.clocks.steady_ms
        self._http = http_server(settings, around.metrics, health, now_ms)
        self._watchdog = Watchdog(health, settings.stall_timeout_s, now_ms, around.fail)
        self._housekeeping: asyncio.Task[None] | None = None
        self._purge = Purge(settings, around.metrics, partitions.next_offsets)
        self._purging: asyncio.Task[None] | None = None
        #: When a fetch was answered last (steady ms), and what the consumer says of that.
        self._answered_at = 0
        self._fetched_at: float | None = None
        app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        app.on_partitions_assigned.connect(self._on_assigned, weak=False)

    async def prepare(self) -> None:
        """Before anything is read: serve HTTP, wait for the brokers, see that the topics fit."""
        self._use_catalogue()
        versions = {"python": platform.python_version(), "faust": faust.__version__}
        self._around.metrics.set("build", 1, version=__version__, **versions)
        for reason in Reason:
            # A series that begins with its first count has no increase to tell.
            self._around.metrics.count("rejected", 0, reason=reason.value)
        try:
            await self._http.start()
            log.info("HTTP on port %d: /metrics /livez /readyz", self._http.port)
            await self._wait_for_topics()
            if self._reads_routed:
                self._subscribe(self._around.settings.routed_topic)
                self._purging = asyncio.create_task(self._purge.run(), name="purge")
            await self._in_use.follow()
        except (PortTaken, TopicsError) as error:
            raise Refusal(str(error)) from error
        self._health.connected(True)
        self._answered_at = self._around.clocks.steady_ms()
        self._watchdog.start()
        self._housekeeping = asyncio.create_task(self._keep_house(), name="housekeeping")

    async def leave(self) -> None:
        """Commit what is under way and give up every partition."""
        await self._in_use.stop()
        self._watchdog.stop()
        for task in (self._housekeeping, self._purging):
            if task is not None:
                task.cancel()
        offsets = self._partitions.next_offsets()
        await self._partitions.stop()
        await self._app.consumer.publish_offsets(offsets)
        await self._http.stop()

    async def _wait_for_topics(self) -> None:
        settings, wait = self._around.settings, 0.5
        plan = TopicPlan.of(settings, learning=self._in_use.learning)
        while True:
            try:
                findings = await ensure_topics(settings.client_options(), plan)
                self._partitions.counts.update(
                    {one.spec.name: one.found.partitions for one in findings if one.found}
                )
                self._reads_routed = settings.route == "auto" or await self._has_routed(plan)
                return
            except (KafkaConnectionError, TimeoutError, OSError) as error:
                self._around.metrics.count("reconnects")
                log.warning("Kafka is away, next try in %.1f s: %s", wait, error)
            await asyncio.sleep(wait)
            wait = min(_LONGEST_WAIT_S, wait * 2)

    async def _has_routed(self, plan: TopicPlan) -> bool:
        """Whether there is a topic of routed events: some may wait from when `route` was on."""
        left = await routed_topic(self._around.settings, plan)
        if left.unseen:
            log.warning("Should events be routed before, they are not read: %s", left.unseen)
        return left.found is not None

    async def _on_revoked(self, app: faust.App, revoked: Iterable[TP], **kwargs: Any) -> None:
        await self._ending_on_error(self._partitions.revoke())

    async def _on_assigned(self, app: faust.App, assigned: Iterable[TP], **kwargs: Any) -> None:
        generation, settings = self._app.consumer_generation_id, self._around.settings
        for topic in (settings.clicks_topic, settings.purchases_topic):
            # Faust would wait in silence for an input that was deleted. A new start makes it or
            # says that it has to be made, and refuses one that was made anew. Only the group's
            # leader counts partitions: the others know nothing (None) or what was known once.
            if self._app.consumer.topic_partitions(topic) == 0:
                self._around.fail(Fatal(f"input topic {topic} is gone: was it deleted?"))
                return
        await self._ending_on_error(self._partitions.assign(assigned, generation))

    async def _ending_on_error(self, work: Any) -> None:
        try:
            await work
        except Exception as error:
            self._around.fail(error)

    async def _keep_house(self) -> None:
        beats = 0
        try:
            while True:
                await asyncio.sleep(_TICK_S)
                beats += 1
                self._watchdog.beat()
                self._look_at_brokers()
                await self._look_at_catalogue()
                await self._partitions.tick()
                if beats % _PUBLISH_EVERY == 0:
                    await self._app.consumer.publish_offsets(self._partitions.next_offsets())
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._around.fail(error)

    def _look_at_brokers(self) -> None:
        """Tell health whether fetches are answered; raises Fatal after the stall time without.

        A consumer that died without a word looks the same as brokers that are away. A new start
        mends the one, and waits for the other with nothing in its hands.
        """
        now = self._around.clocks.steady_ms()
        fetched_at = self._app.consumer.last_fetch_ms()
        # It goes by the wall clock, which may be set: only that it is another time says something.
        if fetched_at is None or (fetched_at > 0 and fetched_at != self._fetched_at):
            self._answered_at, self._fetched_at = now, fetched_at
        away_ms = now - self._answered_at
        self._health.connected(away_ms < _AWAY_MS)
        if away_ms > self._around.settings.stall_timeout_s * 1000:
            raise Fatal(f"no fetch was answered for {away_ms / 1000:.0f} s: are the brokers away?")

    async def _look_at_catalogue(self) -> None:
        try:
            program = self._catalogue.reload()
        except (DeclarationError, KafkaError, OSError) as error:
            self._around.metrics.count("catalogue_reload_failures")
            log.error("The changed catalogue is refused, the last good one stays: %s", error)
            return
        if program is not None:
            self._use_catalogue()
            if self._in_use.learning:
                # It may be new here, and the first sample needs its topic.
                await self._wait_for_topics()
                await self._in_use.follow()
            self._in_use.catalogue_changed()
            self._partitions.adopt(program)
            revision = program.catalogue.revision
            log.info("Catalogue %s is in use", revision, extra={"catalogue": revision})

    def _use_catalogue(self) -> None:
        catalogue = self._catalogue.program.catalogue
        tags = {name: tag.cls for name, tag in catalogue.tags.declarations.items()}
        self._around.metrics.use_catalogue(catalogue.revision, tags)
