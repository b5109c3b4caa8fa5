"""A standby follows the changelog gently, gives up its copy whole, and mends itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, OffsetOutOfRangeError
from support.clicks import CATALOGUE
from support.fake_changelog import FakeChangelog, Owner, values
from support.partition import program, settle

from stream_app.kafka.partition.turns import Turns
from stream_app.kafka.recovery import standby as module
from stream_app.kafka.recovery.copies import Copy, open_copy
from stream_app.kafka.recovery.standby import Standby


class Sleeps:
    """Stands for asyncio: each sleep is remembered, and lasts no longer than others need."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        await asyncio.sleep(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)


class Following:
    """A standby of a changelog that is a list."""

    def __init__(self, log: FakeChangelog) -> None:
        self.log, self.program, self.opened = log, program(), list[Copy]()
        self.turns = Turns()
        self.standby = Standby(0, lambda: self.program, self._open, log.reader, self.turns)

    async def _open(self, under: Any) -> Copy:
        self.opened.append(await open_copy(None, under, 0, 1))
        return self.opened[-1]


@pytest.fixture
def sleeps(monkeypatch) -> Sleeps:
    made = Sleeps()
    monkeypatch.setattr(module, "asyncio", made)
    return made


@pytest.fixture
def log() -> FakeChangelog:
    return FakeChangelog()


@pytest.fixture
def owner(log) -> Owner:
    return Owner(log)


@pytest.fixture
async def following(log, sleeps):
    made = Following(log)
    yield made
    await made.standby.stop()


async def test_it_follows_and_what_is_taken_is_all_up_to_its_offset(log, owner, following):
    owner.fold("ann", "bob")
    await settle()
    owner.fold("cid")
    await settle()
    assert (following.standby.ready, following.standby.lag) == (True, 0)
    copy = following.standby.take()
    assert copy.offset == log.end
    copy.loader.finish()
    assert values(copy.loader.profiles) == values(owner.profiles)
    owner.fold("dan")
    await settle()
    assert copy.offset < log.end
    assert log.readers[-1].stopped
    assert following.standby.take() is None


async def test_markers_alone_move_it_too(log, owner, following):
    owner.fold("ann")
    await settle()
    log.end += 3
    await settle()
    assert following.standby.take().offset == log.end


async def test_while_another_folds_nothing_of_it_is_put_in(log, owner, following):
    await settle()
    async with following.turns._lock:
        owner.fold("ann")
        await settle()
        copy = following.standby.take()
    await settle()
    # The reader was further, and the copy says so: what it lacks is read again.
    assert log.readers[0].at == log.end
    assert copy.offset == 0
    assert len(copy.loader.profiles) == 0


async def test_a_long_changelog_is_put_in_bit_by_bit_with_rests(log, owner, sleeps, monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 10)
    monkeypatch.setattr(module, "_NEAR", 30)
    owner.fold(*(f"u{n}" for n in range(95)))
    following = Following(log)
    while following.standby.lag is None:
        await asyncio.sleep(0)
    assert following.standby.lag > 80
    assert not following.standby.ready
    async with asyncio.timeout(5):
        while not following.standby.ready or following.standby.lag:
            await asyncio.sleep(0)
    behind, at_the_end = sleeps.asked[:9], sleeps.asked[9]
    assert max(behind) < module._PAUSE_S <= at_the_end
    assert all(rest > 0 for rest in behind)
    await following.standby.stop()


async def test_a_copy_that_does_not_come_near_is_waited_for_with_a_limit(
    log, owner, sleeps, monkeypatch
):
    monkeypatch.setattr(module, "_NEAR", -1)
    monkeypatch.setattr(module, "_PATIENCE_S", 0.05)
    owner.fold("ann")
    following = Following(log)
    await settle()
    assert (following.standby.lag, following.standby.ready) == (0, False)
    async with asyncio.timeout(5):
        while not following.standby.ready:
            await asyncio.sleep(0)
    assert following.standby.take() is not None


async def test_what_fails_is_begun_anew_after_a_while_that_grows(log, owner, sleeps, following):
    owner.fold("ann")
    await settle()
    first = following.opened[0]
    log.error = OffsetOutOfRangeError("cut")
    await settle()
    assert following.standby._copy is None
    waits = [seconds for seconds in sleeps.asked if seconds >= 1]
    assert waits[:4] == [1, 2, 4, 8]
    assert max(waits) <= 300
    # Nobody waits for it any more.
    assert following.standby.ready
    log.error = None
    owner.fold("bob")
    await settle()
    copy = following.standby.take()
    assert copy is not first
    assert copy.loader.profiles.users == ["ann", "bob"]
    await settle()
    assert all(reader.stopped for reader in log.readers)


async def test_brokers_that_are_away_are_waited_for(log, owner, sleeps):
    log.error = KafkaConnectionError("away")
    owner.fold("ann")
    following = Following(log)
    await settle()
    # Nobody else waits: to restore waits too, and says for what.
    assert following.standby.ready
    log.error = None
    await settle()
    assert following.standby.take().offset == log.end


async def test_a_copy_that_was_taken_is_let_alone_by_a_client_that_swallows_the_end(
    log, owner, sleeps
):
    owner.fold("ann")
    following = Following(log)
    await settle()
    log.swallows = True
    await settle()
    copy = following.standby.take()
    stood = copy.offset
    owner.fold("bob")
    await settle()
    assert (copy.offset, copy.loader.profiles.users) == (stood, ["ann"])
    assert log.readers[0].stopped


async def test_under_another_catalogue_it_begins_anew_at_once(log, owner, sleeps, following):
    owner.fold("ann")
    await settle()
    following.program = program(CATALOGUE.replace("spend_30d > 100", "spend_30d > 200"))
    owner.fold("bob")
    await settle()
    copy = following.standby.take()
    assert copy.program is following.program is copy.loader.profiles.program
    assert copy.offset == log.end
    assert not [seconds for seconds in sleeps.asked if seconds >= 1]


async def test_under_another_catalogue_it_has_to_come_near_again(
    log, owner, sleeps, following, monkeypatch
):
    owner.fold("ann")
    await settle()
    assert following.standby.ready
    monkeypatch.setattr(module, "_NEAR", -1)
    following.program = program(CATALOGUE.replace("spend_30d > 100", "spend_30d > 200"))
    await settle()
    assert not following.standby.ready


async def test_a_stop_lets_go_of_the_copy_and_of_the_brokers(log, owner, following):
    owner.fold("ann")
    await settle()
    closed = []
    following.opened[0].close = lambda: closed.append(True)
    await following.standby.stop()
    assert closed == [True]
    assert log.readers[0].stopped
    assert following.standby._life.done()
