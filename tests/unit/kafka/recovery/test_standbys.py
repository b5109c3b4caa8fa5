"""A worker follows what it is told to, keeps copies that it is about to need, frees the others."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry
from support.partition import program, settle

from stream_app.kafka.recovery.standbys import Standbys, connect
from stream_app.metrics import Metrics


class FakeStandby:
    """Has a copy of `program`, and says how it ended."""

    def __init__(self, number: int) -> None:
        self.number, self.ready, self.lag, self.ended = number, False, None, ""
        self.copy = SimpleNamespace(program=program(), close=self._close)

    def _close(self) -> None:
        self.ended = "closed"

    def take(self) -> Any:
        self.ended = "taken"
        return self.copy

    async def stop(self) -> None:
        await asyncio.sleep(0)
        self.ended = "stopped"


class Worker:
    """The standbys of a worker; each that was made, in order."""

    def __init__(self, replicas: int = 1) -> None:
        self.made: list[FakeStandby] = []
        self.metrics = Metrics(CollectorRegistry())
        self.rejoined = 0
        self.standbys = Standbys(replicas, self._new, self.metrics, self._rejoin)

    def _new(self, number: int) -> Any:
        self.made.append(FakeStandby(number))
        return self.made[-1]

    def _rejoin(self) -> None:
        self.rejoined += 1

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"stream_app_{name}", labels)


@pytest.fixture
async def worker():
    made = Worker()
    yield made
    await made.standbys.stop()


async def test_it_follows_what_is_new_and_goes_on_with_what_stays(worker):
    worker.standbys.follow({1, 2}, set(), owned={0})
    worker.standbys.follow({2, 3}, set(), owned={0})
    await settle()
    assert [(one.number, one.ended) for one in worker.made] == [(1, "stopped"), (2, ""), (3, "")]


async def test_what_is_owned_now_stays_until_it_is_taken_once(worker):
    worker.standbys.follow({1}, set(), owned=set())
    worker.standbys.follow(set(), set(), owned={1, 0})
    await settle()
    assert worker.made[0].ended == ""
    assert worker.standbys.take(1, program()) is worker.made[0].copy
    assert worker.standbys.take(1, program()) is None
    assert worker.standbys.take(0, program()) is None


async def test_what_was_owned_and_not_taken_is_freed_when_it_goes(worker):
    worker.standbys.follow({1}, set(), owned=set())
    worker.standbys.follow(set(), set(), owned={1})
    worker.standbys.follow(set(), set(), owned=set())
    await settle()
    assert worker.made[0].ended == "stopped"


async def test_a_copy_of_another_catalogue_is_of_no_use(worker):
    worker.standbys.follow({1}, set(), owned=set())
    worker.made[0].copy.program = object()
    assert worker.standbys.take(1, program()) is None
    assert worker.made[0].ended == "closed"


async def test_metrics_tell_what_is_followed_and_end_with_it(worker):
    worker.standbys.follow({1, 2, 3}, set(), owned=set())
    worker.made[0].lag, worker.made[1].lag = 7, 9
    worker.standbys.tick()
    assert worker.metric("standby_partitions") == 3
    assert worker.metric("standby_lag", partition="1") == 7
    assert worker.metric("standby_lag", partition="3") is None
    worker.standbys.take(1, program())
    worker.standbys.follow({3}, set(), owned={1})
    worker.standbys.tick()
    assert worker.metric("standby_partitions") == 1
    assert worker.metric("standby_lag", partition="1") is None
    assert worker.metric("standby_lag", partition="2") is None


async def test_the_group_is_told_once_when_all_that_is_awaited_is_ready(worker):
    worker.standbys.follow({1, 2, 3}, {1, 2}, owned=set())
    worker.made[0].ready = worker.made[2].ready = True
    worker.standbys.tick()
    assert worker.rejoined == 0
    assert worker.standbys.ready == {1, 3}
    worker.made[1].ready = True
    worker.standbys.tick()
    worker.standbys.tick()
    assert worker.rejoined == 1


async def test_without_replicas_nothing_is_followed_and_nothing_told():
    worker = Worker(replicas=0)
    worker.standbys.follow({1}, {1}, owned={0})
    assert worker.standbys.ready is None
    assert worker.made == []
    await worker.standbys.stop()


async def test_a_stop_ends_all_and_begins_none(worker):
    worker.standbys.follow({1, 2}, set(), owned=set())
    await worker.standbys.stop()
    worker.standbys.follow({3}, set(), owned=set())
    assert [one.ended for one in worker.made] == ["stopped", "stopped"]


async def test_assignments_of_the_group_say_what_to_follow(worker):
    handlers: list[Any] = []
    signal = SimpleNamespace(connect=lambda handler, weak: handlers.append(handler))
    assignor = SimpleNamespace(standing_by=frozenset({1}), awaited=frozenset())
    app: Any = SimpleNamespace(on_partitions_assigned=signal, assignor=assignor)
    connect(app, "log", worker.standbys)
    await handlers[0](app, {TP("log", 0), TP("clicks", 5)})
    assignor.standing_by = frozenset()
    await handlers[0](app, {TP("log", 0), TP("log", 1), TP("clicks", 5)})
    assert [(one.number, one.ended) for one in worker.made] == [(1, "")]
    await handlers[0](app, {TP("log", 0), TP("clicks", 1)})
    await settle()
    assert worker.made[0].ended == "stopped"
