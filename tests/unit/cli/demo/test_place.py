"""The names of a demo's topics, and the variables that lead other commands to them."""

from __future__ import annotations

import pytest

from stream_app.cli._demo.place import on_cluster, on_kafka
from stream_app.kafka.topics import topic_specs
from stream_app.resolve import resolve


class Kafka:
    """An embedded Kafka as far as names need one."""

    bootstrap_servers = "127.0.0.1:4711"

    def __init__(self, owned):
        self.owned = owned


def test_on_a_cluster_nothing_of_others_is_touched():
    place = on_cluster(resolve(bootstrap_servers="kafka:9092"), "demo-1")
    names = {spec.name for spec in topic_specs(place.plan)}
    assert len(names) == 7
    assert all(name.startswith("demo-1-") for name in names)
    assert place.settings.app_id == "demo-1"
    assert "STREAM_APP_TAG_STATE_TOPIC=demo-1-tag-state" in place.exports
    assert "STREAM_APP_BOOTSTRAP_SERVERS=kafka:9092" in place.exports


@pytest.mark.parametrize("owned", [True, False])
def test_a_kafka_that_was_running_is_shared(owned):
    place = on_kafka(Kafka(owned), "demo-1")
    assert place.shared is not owned
    assert place.settings.clicks_topic == ("clicks" if owned else "demo-1-clicks")


def test_a_kafka_of_its_own_needs_three_variables():
    assert on_kafka(Kafka(True), "demo-1").exports == (
        "STREAM_APP_BOOTSTRAP_SERVERS=127.0.0.1:4711 STREAM_APP_APP_ID=demo STREAM_APP_CLOCK=event"
    )


def test_names_in_the_environment_do_not_reach_a_demo(monkeypatch):
    monkeypatch.setenv("STREAM_APP_CLICKS_TOPIC", "production-clicks")
    monkeypatch.setenv("STREAM_APP_APP_ID", "production")
    place = on_kafka(Kafka(True), "demo-1")
    assert place.environment["STREAM_APP_CLICKS_TOPIC"] == "clicks"
    assert place.environment["STREAM_APP_APP_ID"] == "demo"


def test_history_is_kept():
    place = on_cluster(resolve(bootstrap_servers="kafka:9092"), "demo-1")
    kept = {s.name for s in topic_specs(place.plan) if s.config.get("retention.ms") == "-1"}
    # What is routed goes once it has arrived, and not by time.
    assert kept == {"demo-1-clicks", "demo-1-purchases", "demo-1-routed"}
