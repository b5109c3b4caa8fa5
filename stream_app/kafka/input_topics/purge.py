"""Routed events that have arrived leave their topic; see ADR 15.

Kafka deletes nothing there by age: what waits through an outage is not lost. So whoever reads a
partition deletes what it has committed. Where that fails, the topic grows, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from aiokafka import TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete
from faust.types import TP

from stream_app.kafka.client.administration import administration
from stream_app.kafka.client.rights import missing_right
from stream_app.metrics import Metrics
from stream_app.settings import Settings

log = logging.getLogger(__name__)

#: Deletes the records of each partition that lie before an offset.
Delete = Callable[[Mapping[TP, int]], Awaitable[None]]


class Purge:
    """Deletes what lies below the next offsets of a worker's tasks; `offsets` tells these."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        offsets: Callable[[], Mapping[TP, int]],
        delete: Delete | None = None,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._offsets = offsets
        self._delete = delete or self._by_admin
        self._done: dict[TP, int] = {}
        self._told = ""

    async def run(self) -> None:
        """Delete now and then, until cancelled; never, where the setting says so."""
        while self._settings.routed_purge_s:
            await asyncio.sleep(self._settings.routed_purge_s)
            await self.once()

    async def once(self) -> None:
        """Delete what was committed since the last time; a failure is told, and tried again."""
        topic = self._settings.routed_topic
        ends = {
            tp: at
            for tp, at in self._offsets().items()
            if tp.topic == topic and at > self._done.get(tp, 0)
        }
        if not ends:
            return
        try:
            async with asyncio.timeout(self._settings.request_timeout_s):
                await self._delete(ends)
        except Exception as error:
            # Whatever it is: nobody needs the deletion but the disks.
            self._tell(missing_right(error) or repr(error))
            return
        self._done |= ends
        self._told = ""

    def _tell(self, why: str) -> None:
        self._metrics.count("purge_failures")
        if why != self._told:
            log.warning(
                "What has arrived stays on %s, and is tried again every %g s: %s",
                self._settings.routed_topic, self._settings.routed_purge_s, why,
                extra={"topic": self._settings.routed_topic},
            )  # fmt: skip
        self._told = why

    async def _by_admin(self, ends: Mapping[TP, int]) -> None:
        async with administration(self._settings) as admin:
            await admin.delete_records(
                {TopicPartition(*tp): RecordsToDelete(before_offset=at) for tp, at in ends.items()}
            )
