"""Compare a topic with what it must be like; pure, so that every misfit has a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from stream_app.kafka.topics.spec import TopicSpec


class TopicsError(Exception):
    """Topics that do not fit; `misfits` has one line each: what is wrong and what to do."""

    def __init__(self, misfits: Sequence[str]) -> None:
        super().__init__("; ".join(misfits))
        self.misfits = tuple(misfits)


@dataclass(frozen=True)
class Found:
    """A topic as the cluster has it; `replication` is that of its least replicated partition."""

    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True)
class Finding:
    """A declared topic beside what was found of it (None: it is missing, or `unseen` says why it
    may not be looked at).
    """

    spec: TopicSpec
    found: Found | None
    misfits: tuple[str, ...] = ()
    created: bool = False
    unseen: str = ""

    @property
    def missing(self) -> bool:
        return self.found is None and not self.unseen


def found_of(findings: Sequence[Finding], topic: str) -> Found | None:
    """What was found of a topic; None where it is missing, TopicsError where it is hidden."""
    for finding in findings:
        if finding.spec.name == topic:
            if finding.found is None and finding.unseen:
                raise TopicsError([finding.unseen])
            return finding.found
    return None


def compare(
    specs: Sequence[TopicSpec],
    found: Mapping[str, Found],
    unseen: Mapping[str, str] = MappingProxyType({}),
) -> list[Finding]:
    """A finding for every declared topic, in order; `unseen` says what may not be looked at."""
    alike = [spec for spec in specs if not (spec.single or spec.free)]
    counts = {found[spec.name].partitions for spec in alike if spec.name in found}
    return [
        Finding(spec, there, tuple(misfits), unseen=hidden)
        for spec in specs
        for there, hidden in [(found.get(spec.name), unseen.get(spec.name, ""))]
        for misfits in [
            [hidden] if hidden else _misfits(spec, there, counts) if there is not None else []
        ]
    ]


def _misfits(spec: TopicSpec, there: Found, counts: set[int]) -> list[str]:
    checks = (
        _partitions(spec, there, counts),
        _policy(spec, there),
        _replication(spec, there),
        _min_isr(spec, there),
        _message_bytes(spec, there),
    )
    return [f"{spec.name}: {misfit}" for misfit in checks if misfit]


def _partitions(spec: TopicSpec, there: Found, counts: set[int]) -> str:
    if there.partitions == spec.partitions or spec.free:
        return ""
    wrong = f"{there.partitions} partition(s), {spec.partitions} wanted; "
    if spec.single:
        return wrong + (
            "everybody has to read it in the same order: delete it, and the next start makes it"
        )
    if len(counts) == 1:
        return wrong + (
            f"set STREAM_APP_PARTITIONS={there.partitions} to use the topics as they are"
            + (
                f", or have `stream-app repartition --to {spec.partitions}` add partitions"
                if there.partitions < spec.partitions
                else ""
            )
        )
    return wrong + (
        "all topics need equally many: a user's events, profile and tags share a partition number. "
        "Was `stream-app repartition` broken off? Run it again. Otherwise create it anew, or set "
        "STREAM_APP_PARTITIONS to the count that the others have"
        + ("; with STREAM_APP_ROUTE=auto an input may have any number" if spec.input else "")
    )


def _policy(spec: TopicSpec, there: Found) -> str:
    policy = there.config.get("cleanup.policy", "delete")
    if set(policy.split(",")) == set(spec.policy.split(",")):
        return ""
    why = (
        "it keeps the last record of each key, and deleting by age would lose what is in use"
        if spec.policy == "compact"
        else "compaction would drop all but the last record of each user"
    )
    return (
        f"cleanup.policy={policy}, {spec.policy} wanted: {why}; "
        f"{altered(spec.name, 'cleanup.policy', spec.policy)}"
    )


def _replication(spec: TopicSpec, there: Found) -> str:
    if there.replication >= spec.replication:
        return ""
    return (
        f"replication factor {there.replication}, at least {spec.replication} wanted; add replicas "
        f"with kafka-reassign-partitions.sh, or set STREAM_APP_REPLICATION={there.replication}"
    )


def _min_isr(spec: TopicSpec, there: Found) -> str:
    least = int(there.config.get("min.insync.replicas", "1"))
    remedy = altered(spec.name, "min.insync.replicas", str(spec.min_isr))
    if least > there.replication:
        return (
            f"min.insync.replicas={least} with replication factor {there.replication}: "
            f"nothing can be written; {remedy}"
        )
    if least >= spec.min_isr:
        return ""
    return f"min.insync.replicas={least}, at least {spec.min_isr} wanted; {remedy}"


def _message_bytes(spec: TopicSpec, there: Found) -> str:
    most = int(there.config.get("max.message.bytes", "0"))
    if not most or most >= spec.max_message_bytes:
        return ""
    return (
        f"max.message.bytes={most}, at least {spec.max_message_bytes} wanted; "
        f"{altered(spec.name, 'max.message.bytes', str(spec.max_message_bytes))}"
    )


def altered(topic: str, key: str, value: str) -> str:
    """Kafka's own tool, called to change a setting of a topic."""
    return (
        'kafka-configs.sh --bootstrap-server "$STREAM_APP_BOOTSTRAP_SERVERS" --alter '
        f"--entity-type topics --entity-name {topic} "
        f"--add-config {key}={value}"
    )
