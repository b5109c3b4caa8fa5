"""What the gauges say while a trainer publishes; what it publishes: see test_training."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from support.logs import FakeLog, FakeWriter, Topic
from support.trainer import TASK, model

from stream_app.kafka.model_training.publisher import Publisher
from stream_app.learning.snapshot import encode, key
from stream_app.metrics import Metrics
from stream_app.settings import Settings


async def test_gauges_show_the_newest_version_while_it_leads_and_nothing_after() -> None:
    topic, metrics = Topic((key(TASK, 2), encode(model(2)))), Metrics(CollectorRegistry())
    publisher = Publisher(Settings(), metrics, FakeWriter({"models": topic}), rebuild=False)

    def newest() -> float | None:
        return metrics.registry.get_sample_value("stream_app_model_newest_version", {"task": TASK})

    await publisher.open(FakeLog(topic))
    assert newest() == 2
    # What is folded again on the way to the newest is no news.
    await publisher.publish([model(1)])
    assert newest() == 2
    await publisher.publish([model(3)])
    assert newest() == 3
    await publisher.close()
    assert newest() is None
