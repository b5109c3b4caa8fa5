"""Which of several trainers is the active one: Kafka's group gives the only partition to one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from stream_app.kafka.client.closing import close_within
from stream_app.kafka.client.rights import failed
from stream_app.kafka.errors import Fatal
from stream_app.settings import Settings

log = logging.getLogger(__name__)

_POLL_MS = 1_000


class Leadership(ConsumerRebalanceListener):
    """Member of the group `<app_id>-trainer`; `leading` and `standing_by` say what is so.

    Neither is set before the first assignment. The group only chooses: it reads nothing and
    commits nothing. Who was too long without a heartbeat still believes that it leads; that
    the writer of the next one fences it makes this harmless.
    """

    def __init__(self, settings: Settings) -> None:
        self.leading = asyncio.Event()
        self.standing_by = asyncio.Event()
        self._settings = settings
        session_ms = int(settings.session_timeout_s * 1000)
        self._consumer = AIOKafkaConsumer(
            **settings.client_options(),
            group_id=f"{settings.app_id}-trainer",
            enable_auto_commit=False,
            auto_offset_reset="latest",
            # A leader that folds well stays the leader when another joins.
            partition_assignment_strategy=(StickyPartitionAssignor,),
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // 10,
            rebalance_timeout_ms=session_ms,
            request_timeout_ms=int(max(settings.request_timeout_s * 1000, session_ms + 10_000)),
            max_partition_fetch_bytes=1_024,
        )

    async def join(self) -> None:
        """Join the group; raises Fatal when no broker answers."""
        timeout_s = self._settings.request_timeout_s
        try:
            await asyncio.wait_for(self._consumer.start(), timeout_s)
        except TimeoutError as error:
            raise Fatal(f"joining the trainers took over {timeout_s:.0f} s") from error
        except KafkaError as error:
            raise failed("joining the trainers failed", error) from error
        self._consumer.subscribe([self._settings.training_topic], listener=self)

    async def watch(self) -> None:
        """Stay in the group. Raises Fatal for what ends membership: nobody else would see it."""
        while True:
            try:
                await self._consumer.getmany(timeout_ms=_POLL_MS)
            except KafkaError as error:
                raise failed("the group of trainers failed", error) from error

    async def leave(self) -> None:
        """Leave the group, so that another one takes over at once."""
        await close_within(self._consumer.stop(), self._settings.drain_timeout_s / 4)

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Nothing: what comes next says whether it was lost, and often it was not."""

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Lead with the partition, stand by without."""
        now, then = self.leading, self.standing_by
        if assigned:
            self._consumer.pause(*assigned)
        else:
            now, then = then, now
        then.clear()
        now.set()
