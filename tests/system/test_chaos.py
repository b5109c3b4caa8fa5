"""Drawn faults lose and double nothing; and the checker that says so finds what is planted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from chaos.bugs import SCENARIOS
from chaos.ground import Shared, one_broker
from chaos.schedule import CLOCK, PROGRAM, draw, only, shown, traits
from chaos.shop import traffic_of
from chaos.stage import staged
from chaos.struck import mttr
from support.traffic import Traffic

from stream_app.kafka.topics import TopicPlan

FEW_USERS = 20
#: What `make chaos` plays in minutes, in seconds: without what waits for a session to be over,
#: which the frozen worker below does. Between the two, the state is spread over more partitions.
FIRST, THEN = ("kill", "cut", "flood"), ("kill", "kill-trainer", "broker-killed", "clock-jump")
#: Draws all traits: producers that place events anyhow, most profiles on disk, more partitions,
#: users who are forgotten.
SEED, PAUSE = 11, (0.2, 1.0)
#: Event time from one event to the next, and how many are there before the workers: six days, for
#: three of which users may be idle.
FAST_MS, BEFORE = 180_000, 3_000


@pytest.mark.timeout(300)
async def test_drawn_faults_lose_and_double_nothing(plan: TopicPlan, tmp_path: Path) -> None:
    async with one_broker(tmp_path / "kafka") as ground:
        kinds, drawn = (*PROGRAM, *CLOCK, *ground.kinds), traits(SEED)
        assert all((drawn.anyhow, drawn.cold, drawn.to, drawn.forgetting))
        traffic = replace(traffic_of(SEED, forgetting=True), step_ms=FAST_MS)
        async with staged(ground, plan, tmp_path, traffic, learning=True, traits=drawn) as on:
            await on.feed.send(BEFORE)
            for _ in range(2):
                on.worker()
            on.trainer()
            async with on.watched():
                for names in (FIRST, THEN):
                    if names is THEN:
                        await on.repartition()
                    faults = draw(SEED, 0, only(kinds, *names), PAUSE)
                    print(shown(SEED, faults))
                    await on.ready()
                    on.feed.start()
                    await on.play(faults)
                await on.settle()
                await on.ready()
                await on.rest()
            await on.crew.end()
            broken, said = await on.verdict()
            missed = on.missed()
    print(said, mttr(on.struck), sep="")
    assert {one.fault.kind for one in on.struck} == {*FIRST, *THEN}
    assert not broken, said
    assert " 0 forgotten" not in said
    assert " 0 came back" not in said
    assert not missed


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
