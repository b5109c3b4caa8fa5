"""Topics without leaders are waited for, told, and tried again by who waits for Kafka."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError

from stream_app.cli.errors import explain
from stream_app.kafka.topics import TopicPlan, admin
from stream_app.kafka.topics.spec import topic_specs


class Brokers:
    """Describes topics, the first of which has no leader."""

    async def describe_topics(self) -> list[dict[str, Any]]:
        return [
            {"topic": spec.name, "partitions": [{"leader": 1 if n else -1}]}
            for n, spec in enumerate(topic_specs(TopicPlan("shop")))
        ]


async def test_what_has_no_leader_in_time_is_told_and_may_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admin, "CREATE_SECONDS", 0.1)
    with pytest.raises(KafkaConnectionError) as raised:
        await admin._await_leaders(Brokers(), topic_specs(TopicPlan("shop")))  # type: ignore[arg-type]
    (line,) = explain(raised.value)
    assert line == "after 0 s no broker leads all partitions of clicks: look at the brokers"


class Slow(Brokers):
    """Lists one topic; it is known to who tells of settings only when asked `late` times."""

    def __init__(self, late: int) -> None:
        self.late = late

    async def describe_topics(self) -> list[dict[str, Any]]:
        return [{"topic": "clicks", "partitions": [{"leader": 1, "replicas": [1]}]}]

    async def describe_configs(self, asked: Any) -> list[Any]:
        self.late -= 1
        code = UnknownTopicOrPartitionError.errno if self.late >= 0 else 0
        return [SimpleNamespace(resources=[(code, None, 2, "clicks", [("retention.ms", "9")])])]

    async def _send_request(self, request: Any) -> Any:
        return SimpleNamespace(topics=[])


async def test_a_topic_that_not_all_brokers_know_yet_is_looked_at_again() -> None:
    found, unseen = await admin._look_up(Slow(2), topic_specs(TopicPlan("shop")))  # type: ignore[arg-type]
    assert found["clicks"].config == {"retention.ms": "9"}
    assert not unseen


async def test_brokers_that_go_on_disagreeing_are_told_and_may_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admin, "CREATE_SECONDS", 0.1)
    with pytest.raises(KafkaConnectionError, match="clicks is listed by one, unknown to another"):
        await admin._look_up(Slow(1_000), topic_specs(TopicPlan("shop")))  # type: ignore[arg-type]
