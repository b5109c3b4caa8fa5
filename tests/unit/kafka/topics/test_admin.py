"""Topics without leaders are waited for, told, and tried again by who waits for Kafka."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

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
