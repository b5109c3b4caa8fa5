"""Routed events leave their topic once they have arrived, and nothing is lost by it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.arrived import misplace, purged
from support.clicks import CATALOGUE, START
from support.settled import fold
from support.upkeep import SETTINGS, USERS, compiled, events, features, followed

from stream_app.kafka.topics import TopicPlan


@pytest.mark.timeout(120)
async def test_routed_events_are_deleted_once_they_have_arrived(
    kafka, topics: TopicPlan, run_worker, tmp_path: Path
) -> None:
    servers, catalogue = kafka.bootstrap_servers, tmp_path / "shop.yaml"
    catalogue.write_text(CATALOGUE)
    program, settings = compiled(catalogue), {"catalog": catalogue, **SETTINGS}
    settings |= {"routed_purge_s": 0.2, "instance_id": "one"}
    gone = 0
    for round_ in range(2):
        worker = await asyncio.to_thread(run_worker, servers, topics, **settings)
        await misplace(servers, topics, events(round_, 1))
        await followed(
            servers, topics, program, features(fold(program, events(0, round_ + 1), 4, START))
        )
        gone, before = await purged(servers, topics), gone
        assert gone - before >= 2 * len(USERS)
        assert worker.metric("stream_app_routed_total") == 2 * len(USERS)
        assert worker.metric("stream_app_purge_failures_total") == 0
        worker.kill()
