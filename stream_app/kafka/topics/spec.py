"""What each topic must be like, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from stream_app.settings import Settings

DAY_MS = 86_400_000

COMPACTED = {
    "cleanup.policy": "compact",
    # The segment being written is never compacted, and a restore reads all of it: keep it small.
    # 64 MB are about 1.4 M profile updates.
    "segment.bytes": str(64 * 2**20),
    # Stale records are at most 3 in 10 of what a restore reads; half, by Kafka's default.
    "min.cleanable.dirty.ratio": "0.3",
    # A reader that has seen a row must still meet its deletion: longer than any restore takes.
    "delete.retention.ms": str(DAY_MS),
    # A quiet partition is compacted too, so that what was deleted leaves the disks.
    "max.compaction.lag.ms": str(7 * DAY_MS),
}

#: What has not arrived is never too old; what has is deleted by who read it (see
#: kafka/input_topics/purge.py), a segment at a time.
ROUTED = {"retention.ms": "-1", "segment.bytes": str(50 * 2**20)}


@dataclass(frozen=True)
class TopicPlan:
    """What an installation asks of its topics; the names default to the public ones."""

    app_id: str
    partitions: int = 4
    replication: int = 1
    min_isr: int = 1
    # More than the largest batch that a writer sends (kafka/client/writer.py), even uncompressed.
    max_message_bytes: int = 5 * 2**20
    clicks: str = "clicks"
    purchases: str = "purchases"
    tags: str = "tags"
    tag_state: str = "tag-state"
    dead_letters: str = "dead-letters"
    # Empty where nothing is routed: then the inputs need as many partitions as the others.
    routed: str = ""
    # Both empty where nothing is learned.
    training: str = ""
    models: str = ""
    training_days: float = 180.0
    # Inputs made to take history keep it: Kafka deletes by the records' own times.
    keep_inputs: bool = False

    @classmethod
    def of(cls, settings: Settings, *, learning: bool = False) -> Self:
        clicks, purchases, tags, tag_state, dead_letters = settings.topics
        return cls(
            app_id=settings.app_id,
            partitions=settings.partitions,
            replication=settings.replication,
            min_isr=settings.min_insync_replicas,
            clicks=clicks,
            purchases=purchases,
            tags=tags,
            tag_state=tag_state,
            dead_letters=dead_letters,
            routed=settings.routed_topic if settings.route == "auto" else "",
            training=settings.training_topic if learning else "",
            models=settings.models_topic if learning else "",
            training_days=settings.training_days,
        )

    @property
    def changelog(self) -> str:
        return f"{self.app_id}-profiles-changelog"


@dataclass(frozen=True)
class TopicSpec:
    """One topic: `config` is set when it is created, `policy` and the numbers are checked too."""

    name: str
    purpose: str
    partitions: int
    replication: int
    min_isr: int
    policy: str
    # 0: whatever the cluster allows.
    max_message_bytes: int = 0
    extra: Mapping[str, str] = field(default_factory=dict)
    # One partition, whatever the others have: everybody reads it in the same order.
    single: bool = False
    # Producers write there, and any number of partitions will do where events are routed.
    input: bool = False
    free: bool = False

    @property
    def config(self) -> dict[str, str]:
        """The topic configuration to create it with."""
        config = {"cleanup.policy": self.policy, "min.insync.replicas": str(self.min_isr)}
        if self.max_message_bytes:
            config["max.message.bytes"] = str(self.max_message_bytes)
        return config | dict(self.extra)


def topic_specs(plan: TopicPlan) -> tuple[TopicSpec, ...]:
    """Every topic in the order in which events pass them."""

    def topic(
        name: str, purpose: str, extra: Mapping[str, str] | None = None, *, taken: bool = False
    ) -> TopicSpec:
        extra = extra or {}
        return TopicSpec(
            name=name,
            purpose=purpose,
            partitions=plan.partitions,
            replication=plan.replication,
            min_isr=plan.min_isr,
            policy=extra.get("cleanup.policy", "delete"),
            # What an event may weigh is the producers' matter: too large ones become dead letters.
            max_message_bytes=0 if taken else plan.max_message_bytes,
            extra=extra,
            input=taken,
            free=taken and bool(plan.routed),
        )

    month = {"retention.ms": str(30 * DAY_MS)}
    kept = {"retention.ms": "-1"} if plan.keep_inputs else {}
    specs: tuple[TopicSpec, ...] = (
        topic(plan.clicks, "input: what users do", kept, taken=True),
        topic(plan.purchases, "input: purchases and refunds", kept, taken=True),
        topic(plan.changelog, "profiles", COMPACTED),
        topic(plan.tags, "output: changes of tags"),
        topic(plan.tag_state, "output: tags as they are", COMPACTED),
        # Someone has to notice, look and repair.
        topic(plan.dead_letters, "output: refused events", month),
    )
    if plan.routed:
        routed = topic(plan.routed, "internal: events on the way to their users", ROUTED)
        specs = (*specs[:2], routed, *specs[2:])
    kept = {"retention.ms": str(int(plan.training_days * DAY_MS))}
    learned = (
        topic(plan.training, "output: samples to learn from", kept),
        topic(plan.models, "output: what was learned", COMPACTED),
    )
    single = (replace(spec, partitions=1, single=True) for spec in learned if spec.name)
    return (*specs, *single)
