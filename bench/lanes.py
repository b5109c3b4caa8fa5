"""Topics of one measurement: a lane has its own inputs, changelog and outputs."""

from __future__ import annotations

from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition

from stream_app.kafka.topics import TopicPlan, ensure_topics, topic_specs

PARTITIONS = 4
#: Rows of a changelog are all kept, so that restoring reads every update.
_UNCOMPACTED = {"min.compaction.lag.ms": str(86_400_000)}


@dataclass(frozen=True)
class Lane:
    """A set of topics whose names end in `name`, and the settings of a worker on them.

    `catalog` is what its workers run; with `learning` it declares what to learn.
    """

    servers: str
    name: str
    catalog: str
    learning: bool = False

    @property
    def plan(self) -> TopicPlan:
        return TopicPlan(
            app_id=f"bench-{self.name}",
            partitions=PARTITIONS,
            clicks=f"clicks-{self.name}",
            purchases=f"purchases-{self.name}",
            tags=f"tags-{self.name}",
            tag_state=f"tag-state-{self.name}",
            dead_letters=f"dead-letters-{self.name}",
            training=f"training-{self.name}" if self.learning else "",
            models=self.models if self.learning else "",
        )

    @property
    def models(self) -> str:
        return f"models-{self.name}"

    @property
    def inputs(self) -> tuple[str, str]:
        return self.plan.clicks, self.plan.purchases

    def environment(self) -> dict[str, str]:
        """STREAM_APP_* variables of a worker on this lane; all else stays at its default."""
        plan = self.plan
        settings = {
            "bootstrap_servers": self.servers,
            "app_id": plan.app_id,
            "partitions": plan.partitions,
            "clicks_topic": plan.clicks,
            "purchases_topic": plan.purchases,
            "tags_topic": plan.tags,
            "tag_state_topic": plan.tag_state,
            "dead_letters_topic": plan.dead_letters,
            "training_topic": f"training-{self.name}",
            "models_topic": self.models,
            "catalog": self.catalog,
        }
        return {f"STREAM_APP_{name.upper()}": str(value) for name, value in settings.items()}

    async def create(self) -> None:
        """Create the topics as a worker would, but the changelog is never compacted."""
        changelog = next(s for s in topic_specs(self.plan) if s.name == self.plan.changelog)
        new = NewTopic(changelog.name, PARTITIONS, 1, topic_configs=changelog.config | _UNCOMPACTED)
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        try:
            await admin.start()
            await admin.create_topics([new])
        finally:
            await admin.close()
        await ensure_topics({"bootstrap_servers": self.servers}, self.plan)

    async def delete(self) -> None:
        """Delete the topics, and whatever else was made on this lane."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        try:
            await admin.start()
            ours = [topic for topic in await admin.list_topics() if self.name in topic]
            await admin.delete_topics(ours)
        finally:
            await admin.close()


class Offsets:
    """How many offsets a topic's partitions have taken; open while rates are measured."""

    def __init__(self, servers: str, topic: str) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers, isolation_level="read_committed", enable_auto_commit=False
        )
        self._partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]

    async def __aenter__(self) -> Offsets:
        await self._consumer.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._consumer.stop()

    async def total(self) -> int:
        """Sum of the last stable offsets, markers of transactions included."""
        return sum((await self._consumer.end_offsets(self._partitions)).values())
