"""Drawn faults lose and double nothing; and the checker that says so finds what is planted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from chaos.bugs import SCENARIOS
from chaos.ground import Shared
from chaos.stage import staged
from support.traffic import Traffic

from stream_app.kafka.topics import TopicPlan

FEW_USERS = 20


@pytest.mark.timeout(240)
@pytest.mark.parametrize("bug", SCENARIOS)
async def test_a_planted_bug_is_found_and_a_worker_without_it_bears_the_same(
    kafka, plan: TopicPlan, tmp_path: Path, bug: str
) -> None:
    async def verdict(name: str, planted: str) -> tuple[int, str]:
        own = replace(
            plan,
            app_id=f"{plan.app_id}-{name}",
            partitions=2,
            **{
                topic: f"{getattr(plan, topic)}-{name}"
                for topic in ("clicks", "purchases", "tags", "tag_state", "dead_letters")
            },
        )
        ground, traffic = Shared(kafka.bootstrap_servers), Traffic(5, FEW_USERS)
        async with staged(ground, own, tmp_path / name, traffic, round_records=50) as stage:
            try:
                await SCENARIOS[bug](stage, planted)
            finally:
                await stage.crew.leave()
            return await stage.verdict()

    (broken, found), (sound, said) = await asyncio.gather(verdict("bug", bug), verdict("none", ""))
    print(found)
    assert sound == 0, said
    assert broken == 1, f"the planted bug was not found:\n{found}"
