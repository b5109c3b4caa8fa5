"""Of a partition's changelog one user's profile is read, and nothing of other users is kept."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from support.clicks import CATALOGUE, START, click, users_on
from support.partition import Partition, program, records, settle

from stream_app.kafka.console import one_profile as module
from stream_app.kafka.console.one_profile import ProfileError, one_profile
from stream_app.kafka.errors import Fatal
from stream_app.kafka.topics.check import Found, compare
from stream_app.kafka.topics.spec import TopicPlan, topic_specs
from stream_app.settings import Settings


class FakeConsumer:
    """Delivers `log`; markers of transactions take the last offset. Silent without a log."""

    log: list[tuple[bytes, bytes]] | None = None
    partitions = 1
    stopped = 0

    def __init__(self, **options: Any) -> None:
        assert options["isolation_level"] == "read_committed"
        assert options["group_id"] is None
        self._done = False

    async def start(self) -> None:
        return

    async def stop(self) -> None:
        type(self).stopped += 1

    def assign(self, partitions: list[Any]) -> None:
        [self.tp] = partitions

    async def end_offsets(self, partitions: list[Any]) -> dict[Any, int]:
        return {self.tp: 9}

    async def position(self, tp: Any) -> int:
        return 9 if self._done else 0

    async def getmany(self, **options: Any) -> dict[Any, list[Any]]:
        if self.log is None:
            await asyncio.sleep(0.001)
            return {}
        self._done = True
        return {self.tp: [SimpleNamespace(key=key, value=value) for key, value in self.log]}


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> type[FakeConsumer]:
    class Consumer(FakeConsumer):
        pass

    async def ensure_topics(options: Any, plan: TopicPlan, create: bool) -> Any:
        specs = topic_specs(plan)
        there = Found(Consumer.partitions, 1, {})
        return compare(specs, {spec.name: there for spec in specs if Consumer.partitions})

    monkeypatch.setattr(module, "AIOKafkaConsumer", Consumer)
    monkeypatch.setattr(module, "ensure_topics", ensure_topics)
    return Consumer


async def committed() -> list[tuple[bytes, bytes]]:
    """The changelog of a partition on which two users clicked."""
    stage = Partition(CATALOGUE)
    task = await stage.started()
    for n, user in enumerate(("ann", "bob", "ann")):
        task.offer(0, records([click(user, n)], first=n))
        await settle()
    return [(r.key, bytes(r.value)) for r in stage.records(stage.settings.changelog_topic)]


async def test_one_user_is_read_as_last_committed_and_nobody_else_is_kept(consumer) -> None:
    consumer.log = await committed()
    assert {b"ann", b"bob"} <= {key for key, _ in consumer.log}
    profiles = await one_profile(Settings(), program(CATALOGUE), "ann")
    assert profiles.users == ["ann"]
    assert profiles.read("ann")["clicks_24h"] == 2
    assert profiles.time == START
    assert consumer.stopped == 1


async def test_an_unknown_user_is_told_with_where_he_was_looked_for(consumer) -> None:
    consumer.log = await committed()
    with pytest.raises(ProfileError, match=r"no profile of 'eve' on partition 0 .*murmur2"):
        await one_profile(Settings(), program(CATALOGUE), "eve")
    with pytest.raises(ProfileError, match="no profile"):
        await one_profile(Settings(), program(CATALOGUE), "\0meta")


async def test_the_partition_is_that_of_the_key(consumer) -> None:
    consumer.partitions, consumer.log = 4, []
    user = next(users_on(3))
    with pytest.raises(ProfileError, match="on partition 3"):
        await one_profile(Settings(), program(CATALOGUE), user)


async def test_without_a_topic_that_is_said(consumer) -> None:
    consumer.partitions = 0
    with pytest.raises(ProfileError, match="no topic shop-profiles-changelog"):
        await one_profile(Settings(app_id="shop"), program(CATALOGUE), "ann")


async def test_a_silent_broker_is_given_up_on(consumer) -> None:
    with pytest.raises(Fatal, match="no record was read"):
        await one_profile(Settings(restore_timeout_s=0.05), program(CATALOGUE), "ann")
    assert consumer.stopped == 1
