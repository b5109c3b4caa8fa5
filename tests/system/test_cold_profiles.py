"""Most profiles are on disk: stops, kills and moves of partitions lose and double nothing."""

from __future__ import annotations

import asyncio

import pytest
from support.stage import stage


@pytest.mark.timeout(200)
async def test_what_lies_in_local_stores_is_as_good_as_memory(
    kafka, topics, run_worker, tmp_path
) -> None:
    async with stage(kafka.bootstrap_servers, topics, run_worker, tmp_path, 9) as on:
        # Of a few dozen users on all partitions, a worker keeps six in memory.
        one = {"max_resident_users": 6, "state_dir": tmp_path / "one"}
        other = {"max_resident_users": 1, "state_dir": tmp_path / "other"}
        first = on.start(**one)
        async with on.busy():
            await on.follower.advance(600)
            assert await asyncio.to_thread(first.terminate) == 0
            first = await on.started(**one)
            assert "where its local store stands" in first.log.read_text()
            await on.follower.advance(400)
            first.kill()
            first = await on.started(**one)
            second = await on.started(**other)
            await on.follower.advance_each(50)
            # Its partitions go to the first, which had them before.
            assert await asyncio.to_thread(second.terminate) == 0
            await on.follower.advance_each(50)
        await on.settle()
        assert await asyncio.to_thread(first.terminate) == 0
        await on.verdict()
