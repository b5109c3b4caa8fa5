"""Workers die at any moment; nothing is lost and nothing is counted twice."""

from __future__ import annotations

import asyncio
import random

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.group import LeaveGroupRequest
from support.stage import stage

KILLS = 11
#: Of one worker's kills so many are followed by the wait until the group has missed the dead one.
MISSED = 2


async def bury(servers: str, group: str) -> None:
    """Have the group forget its members, who are all dead, before their session is over."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        coordinator = await admin.find_coordinator(group)
        for described in await admin.describe_consumer_groups([group], coordinator):
            for _, _, _, _, _, members, *_ in described.groups:
                for member, *_ in members:
                    await admin._send_request(LeaveGroupRequest(group, member), coordinator)
    finally:
        await admin.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("workers", [1, 2])
async def test_killed_workers_lose_and_double_nothing(
    kafka, topics, run_worker, tmp_path, workers: int
) -> None:
    moments, servers = random.Random(workers), kafka.bootstrap_servers
    async with stage(servers, topics, run_worker, tmp_path, workers) as on:
        running = [on.start() for _ in range(workers)]
        async with on.busy():
            for kill in range(KILLS):
                # At any moment of a round, or of a start, a rebalance or a restore.
                if kill % 3 != 2:
                    await on.follower.advance(moments.randrange(100, 2_000))
                await asyncio.sleep(moments.random() * (0.2 if kill % 3 != 2 else 4))
                victim = moments.randrange(workers)
                assert running[victim].alive
                running[victim].kill()
                if workers == 1 and kill >= MISSED:
                    await bury(servers, topics.app_id)
                running[victim] = on.start()
            await on.follower.advance_each(50)
        await on.settle()
        for worker in running:
            assert await asyncio.to_thread(worker.terminate) == 0
        await on.verdict()
