"""The broker stands still, dies, or refuses a write; no offset moves without its outputs."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from support.broker import read_to_end
from support.stage import stage

from stream_app.kafka.topics import TopicPlan, ensure_topics
from stream_app.kafka.topics.spec import topic_specs

FROZEN_S = 20


@pytest.mark.timeout(240)
async def test_a_frozen_and_a_killed_broker_lose_nothing(
    own_kafka, plan, run_worker, tmp_path
) -> None:
    servers = own_kafka.bootstrap_servers
    await ensure_topics({"bootstrap_servers": servers}, plan)
    async with stage(servers, plan, run_worker, tmp_path, 21) as on:
        worker = await on.started()
        async with on.busy():
            await on.follower.advance_each(100)
        own_kafka.freeze()
        await asyncio.sleep(FROZEN_S)
        own_kafka.thaw()
        async with on.busy():
            await on.follower.advance_each(100)
        own_kafka.kill()
        await asyncio.to_thread(own_kafka.restart)
        async with on.busy():
            await on.follower.advance_each(100)
        await on.settle()
        await asyncio.to_thread(worker.wait_ready)
        assert await asyncio.to_thread(worker.terminate) == 0
        await on.verdict()


@pytest.mark.timeout(180)
async def test_an_undeliverable_changelog_record_moves_no_offset(
    kafka, topics, run_worker, tmp_path
) -> None:
    servers = kafka.bootstrap_servers
    async with stage(servers, topics, run_worker, tmp_path, 22) as on:
        worker = await on.started()
        await on.feeder.send(3_000)
        await on.settle()
        committed = on.follower.committed()
        published = await published_by(servers, topics)

        await limit_changelog(servers, topics, 100)
        await on.feeder.send(3_000)
        assert await asyncio.to_thread(worker.exit_code, 60) == 78
        assert "MessageSizeTooLarge" in worker.text()
        assert "max.message.bytes=100" in worker.tail()
        assert on.follower.committed() == committed
        assert await published_by(servers, topics) == published

        await limit_changelog(servers, topics, topics.max_message_bytes)
        worker = await on.started()
        await on.settle()
        assert await asyncio.to_thread(worker.terminate) == 0
        await on.verdict()


async def published_by(servers: str, plan: TopicPlan) -> list[int]:
    """Committed records of every output."""
    names = (plan.changelog, plan.tags, plan.tag_state, plan.dead_letters)
    return [len(await read_to_end(servers, name)) for name in names]


async def limit_changelog(servers: str, plan: TopicPlan, max_bytes: int) -> None:
    """Set max.message.bytes of the changelog and wait until the broker goes by it."""
    config = next(spec.config for spec in topic_specs(plan) if spec.name == plan.changelog)
    config |= {"max.message.bytes": str(max_bytes)}
    resource = ConfigResource(ConfigResourceType.TOPIC, plan.changelog, config)
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.alter_configs([resource])
        async with asyncio.timeout(20):
            while await limit_of(admin, plan.changelog) != max_bytes:
                await asyncio.sleep(0.02)
    finally:
        await admin.close()


async def limit_of(admin: AIOKafkaAdminClient, topic: str) -> int:
    asked = ConfigResource(ConfigResourceType.TOPIC, topic)
    (response,) = await admin.describe_configs([asked])
    entries = response.resources[0][4]
    return next(int(entry[1]) for entry in entries if entry[0] == "max.message.bytes")
