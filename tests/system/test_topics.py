"""Topics on a real Kafka: created as declared, found to fit, refused when they don't."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from click.testing import CliRunner
from support.broker import Message, environment, produce, read_to_end
from support.clicks import CATALOGUE

from stream_app.cli import main
from stream_app.kafka.topics import TopicPlan, TopicsError, ensure_topics


@pytest.fixture
def options(kafka) -> dict[str, object]:
    return {"bootstrap_servers": kafka.bootstrap_servers}


async def create(options: dict[str, object], *topics: NewTopic) -> None:
    """Create topics and wait until the broker lists them, which comes after the answer."""
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    try:
        response = await admin.create_topics(list(topics))
        assert not [error for error in response.topic_errors if error[1]], response
        async with asyncio.timeout(20):
            while not {topic.name for topic in topics} <= {*await admin.list_topics()}:
                await asyncio.sleep(0.02)
    finally:
        await admin.close()


async def test_missing_topics_are_created_once_and_then_fit(options, plan: TopicPlan) -> None:
    looked = await ensure_topics(options, plan, create=False)
    assert all(finding.missing for finding in looked)

    first = await ensure_topics(options, plan)
    assert [finding.created for finding in first] == [True] * 7
    for finding in first:
        assert finding.found
        assert finding.found.partitions == 4
        assert finding.found.config | finding.spec.config == finding.found.config

    again = await ensure_topics(options, plan)
    assert [finding.created for finding in again] == [False] * 7


async def test_workers_that_start_together_create_them_once(options, plan: TopicPlan) -> None:
    reports = await asyncio.gather(*(ensure_topics(options, plan) for _ in range(4)))
    for index in range(7):
        assert sum(report[index].created for report in reports) == 1


async def test_every_misfit_is_listed_and_nothing_is_created(options, plan: TopicPlan) -> None:
    await create(
        options,
        NewTopic(plan.clicks, 3, 1),
        NewTopic(plan.purchases, 4, 1),
        NewTopic(plan.changelog, 4, 1),
        NewTopic(plan.tag_state, 4, 1, topic_configs={"cleanup.policy": "compact,delete"}),
        NewTopic(plan.tags, 4, 1, topic_configs={"max.message.bytes": "1000"}),
    )
    plan = replace(plan, routed="")
    with pytest.raises(TopicsError) as caught:
        await ensure_topics(options, plan)
    misfits = caught.value.misfits
    assert [misfit.split(": ")[0] for misfit in misfits] == [
        plan.clicks,
        plan.changelog,
        plan.tags,
        plan.tag_state,
    ]
    assert "3 partition(s), 4 wanted" in misfits[0]
    assert "cleanup.policy=delete, compact wanted" in misfits[1]
    assert "max.message.bytes=1000" in misfits[2]
    assert "cleanup.policy=compact,delete" in misfits[3]
    looked = await ensure_topics(options, plan, create=False)
    assert looked[-1].missing


async def test_what_the_cluster_refuses_is_said(options, plan: TopicPlan) -> None:
    with pytest.raises(TopicsError, match=f"{plan.clicks}: cannot be created: .*replication"):
        await ensure_topics(options, replace(plan, replication=3, min_isr=2))


def test_the_command_plans_applies_and_refuses(
    kafka, plan: TopicPlan, monkeypatch, tmp_path: Path
) -> None:
    catalogue = tmp_path / "shop.yaml"
    catalogue.write_text(CATALOGUE)
    for name, value in environment(kafka.bootstrap_servers, plan, catalog=catalogue).items():
        monkeypatch.setenv(name, value)
    run = CliRunner().invoke
    assert "to be created" in run(main, ["topics"]).output
    assert "created" in run(main, ["topics", "--apply"]).output
    again = run(main, ["topics", "--apply"])
    assert (again.exit_code, again.output.count("fits"), "created" in again.output) == (0, 7, False)
    fits = run(main, ["topics", "--plan"])
    assert (fits.exit_code, fits.output.count("fits")) == (0, 7)
    monkeypatch.setenv("STREAM_APP_PARTITIONS", "5")
    refused = run(main, ["topics", "--apply"])
    assert refused.exit_code == 2
    # Events are routed, so that inputs may have any number.
    assert refused.stderr.count("error: ") == 5
    assert "set STREAM_APP_PARTITIONS=4 to use the topics as they are" in refused.stderr


async def test_records_are_keyed_like_a_java_client_and_read_to_the_end(kafka, topics) -> None:
    users = [f"user-{n}".encode() for n in range(50)]
    sent = await produce(kafka.bootstrap_servers, topics.clicks, [Message(u, u) for u in users])
    records = await read_to_end(kafka.bootstrap_servers, topics.clicks)
    assert sorted(record.value for record in records) == sorted(users)
    # Where Kafka's Java client puts the key "user-7" among four partitions.
    place = {record.key: record.partition for record in records}
    assert {n: sum(p == n for p in place.values()) for n in sent} == sent
    assert len(sent) == 4
