"""A restart reads on from the local store, where that is a copy of this changelog."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from aiokafka.structs import TopicPartition
from support.clicks import CATALOGUE, click
from support.partition import Partition, program, records, settle
from support.tag_users import tag_users

from stream_app.engine import having, step
from stream_app.engine.changelog import META, Loader, Meta, encode_meta
from stream_app.engine.cold import checkpoint
from stream_app.engine.cold.profiles import ColdProfiles
from stream_app.engine.cold.shelf import row_keys
from stream_app.kafka.client.writer import Outgoing
from stream_app.kafka.errors import Fatal, Refusal
from stream_app.kafka.partition.states import State
from stream_app.kafka.partition.turns import Turns
from stream_app.kafka.recovery.local import Stores
from stream_app.kafka.recovery.restore import restore

TOPIC = "app-profiles-changelog"
CHANGELOG = TopicPartition(TOPIC, 0)
Pairs = list[tuple[bytes, Any]]
REGULAR = {"tag": "regular", "partition": "0"}


class FakeConsumer:
    """Reads `log`, whose records up to `first` were deleted; `read` counts what was asked for."""

    log: ClassVar[Pairs] = []
    first = 0
    read = 0

    def __init__(self, **options: Any) -> None:
        self.at = 0
        self.assigned: set[TopicPartition] = set()
        self._fetcher = SimpleNamespace(_records={})

    async def start(self) -> None:
        type(self).read = 0

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def assign(self, tps: list[TopicPartition]) -> None:
        assert tps == [CHANGELOG]
        self.assigned = set(tps)

    async def beginning_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {CHANGELOG: self.first}

    async def end_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {CHANGELOG: len(self.log)}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.at = offset

    async def position(self, tp: TopicPartition) -> int:
        return self.at

    async def getmany(self, tp: TopicPartition, **bounds: int) -> dict[TopicPartition, list[Any]]:
        first, self.at = self.at, min(self.at + bounds["max_records"], len(self.log))
        found = self.log[first : self.at]
        type(self).read += len(found)
        if isinstance(self._fetcher._records, dict) and bounds["max_records"] == 1:
            [(key, value)] = found
            return {CHANGELOG: [SimpleNamespace(offset=first, key=key, value=value)]}
        return {CHANGELOG: found}

    async def stop(self) -> None: ...


@pytest.fixture(autouse=True)
def _consumer(monkeypatch):
    FakeConsumer.log, FakeConsumer.first = [], 0
    monkeypatch.setattr("stream_app.kafka.recovery.reader.AIOKafkaConsumer", FakeConsumer)
    monkeypatch.setattr("stream_app.kafka.recovery.restore.check_siblings", _nobody)


async def _nobody(*_: Any) -> None: ...


class Worker(Partition):
    """A partition whose changelog is the fake consumer's, and whose profiles are in a store."""

    def __init__(self, stores: Stores) -> None:
        super().__init__(app_id="app")
        self.stores = stores
        self.writer.write = self._write

    async def _restore(self, number: int, under: Any) -> Loader:
        return await restored(self.stores)

    async def _write(self, packed: Any) -> int:
        at = len(FakeConsumer.log)
        FakeConsumer.log += [(r.key, bytes(r.value)) for r in packed[TOPIC] if type(r) is Outgoing]
        return at

    async def fold(self, *users: str) -> None:
        first = self.task.rounds.next[0]
        self.task.offer(0, records([click(user, first + n) for n, user in enumerate(users)], first))
        await settle()
        assert not self.failed, self.failed

    @property
    def cold(self) -> ColdProfiles | None:
        return self.task.rounds and self.task.rounds.profiles


def told(worker: Worker) -> dict[str, float]:
    """What the metric says, by tag."""
    return {
        sample.labels["tag"]: sample.value
        for family in worker.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "stream_app_tag_users"
    }


async def restored(stores: Stores | None) -> Loader:
    return await restore({}, CHANGELOG, program(), 1, 5.0, lambda: None, Turns(), stores)


def stores_in(folder: Any, rows: int = 2) -> Stores:
    return Stores(folder, TOPIC, rows)


async def lived(folder: Any, *rounds: tuple[str, ...]) -> None:
    """What a worker leaves that folds these rounds and stops."""
    worker = Worker(stores_in(folder))
    await worker.started()
    for users in rounds:
        await worker.fold(*users)
    await worker.task.stop()


async def test_a_restart_reads_only_what_its_store_does_not_have(tmp_path):
    await lived(tmp_path, ("ann", "bob", "cid"), ("dan", "ann"))
    total = len(FakeConsumer.log)
    worker = Worker(stores_in(tmp_path))
    await worker.started()
    # Two to see that it is this changelog, then the last round: \0meta and two rows.
    assert FakeConsumer.read == 2 + 3 < total
    assert list(worker.cold.known()) == ["ann", "bob", "cid", "dan"]
    plain = await restored(None)
    at = plain.profiles.time
    assert dict(worker.cold.read_all(at)) == dict(plain.profiles.read_all(at))
    await worker.fold("bob")
    assert worker.metrics.registry.get_sample_value("stream_app_cold_reads_total") > 0
    await worker.task.stop()


async def test_how_many_have_each_tag_is_known_without_reading_cold_rows(tmp_path):
    await lived(tmp_path, ("ann", "bob", "cid", "ann", "ann"), ("dan", "ann", "cid", "cid"))
    worker = Worker(stores_in(tmp_path))
    await worker.started()
    counts = tag_users((await restored(None)).profiles)
    assert counts["visitor"] == 4
    assert counts["regular"] == 2
    assert told(worker) == counts
    assert worker.metrics.registry.get_sample_value("stream_app_cold_reads_total") in (None, 0)
    await worker.fold("eve", "bob", "bob")
    assert told(worker) == tag_users((await restored(None)).profiles)
    # Tags that another catalogue declares begin with nobody, others go on.
    more = CATALOGUE.replace("  visitor:", "  guest:").replace("spend_30d > 100", "spend_30d > 90")
    worker.task.rounds.adopt(program(more))
    assert told(worker)["guest"] == 0
    worker.task.rounds.look_for_due()
    await worker.fold("ann")
    now = (await restored(None)).profiles.under(program(more))
    step(now, [[], []])
    assert told(worker) == tag_users(now)
    await worker.task.stop()


def forget_tags() -> None:
    """Have the last commit not say who has which tag, as one of before an upgrade."""
    log = FakeConsumer.log
    at = max(i for i, (key, _) in enumerate(log) if key == META)
    meta = msgspec.json.decode(log[at][1], type=Meta)
    log[at] = encode_meta(msgspec.structs.replace(meta, users=None, tags=None))


async def test_where_no_commit_tells_who_has_which_tag_all_are_counted_once(tmp_path):
    await lived(tmp_path, ("ann", "bob", "cid", "ann", "ann"), ("dan", "cid"))
    forget_tags()
    worker = Worker(stores_in(tmp_path))
    await worker.started()
    await worker.fold("cid")
    assert told(worker) == tag_users((await restored(None)).profiles)
    assert worker.metrics.registry.get_sample_value("stream_app_tag_users", REGULAR) == 2
    await worker.task.stop()


async def test_a_partition_is_given_away_and_comes_back_while_all_are_counted(
    tmp_path, monkeypatch
):
    users = tuple(f"u{n}" for n in range(40))
    await lived(tmp_path, users, users[:20], users[:10])
    forget_tags()
    monkeypatch.setattr(having, "_SLICE", 1)
    worker = Worker(stores_in(tmp_path))
    worker.task.start()
    while worker.cold is None or not worker.cold.shelved._read:
        await asyncio.sleep(0)
    # It does not wait until millions are counted: the drain timeout would end the worker.
    await worker.task.revoke()
    assert worker.task.state is State.PARKED
    assert told(worker) == {}
    await worker.task.assign()
    async with asyncio.timeout(10):
        while not told(worker):
            await asyncio.sleep(0)
    assert told(worker) == tag_users((await restored(None)).profiles)
    assert told(worker)["regular"] == 10
    await worker.task.stop()


async def test_only_so_many_stay_in_memory(tmp_path):
    worker = Worker(stores_in(tmp_path, rows=3))
    await worker.started()
    for first in range(0, 20, 5):
        await worker.fold(*(f"u{n}" for n in range(first, first + 5)))
    assert len(worker.cold) == 20
    step(worker.cold, [[], []])
    assert worker.cold.residents.count == 3
    await worker.fold("u1", "u2")
    assert worker.cold.residents.count == 3 + 2
    step(worker.cold, [[], []])
    assert worker.cold.residents.count == 3
    await worker.task.stop()


@pytest.mark.parametrize("spoil", ["other", "short", "deleted", "empty"])
async def test_a_store_of_another_changelog_begins_anew(tmp_path, spoil):
    await lived(tmp_path, ("ann", "bob", "cid"), ("dan", "ann"))
    log = FakeConsumer.log
    if spoil == "other":
        FakeConsumer.log = []
        await lived(tmp_path / "other", ("eve", "fay", "gus"), ("eve", "hal"))
        assert [key for key, _ in FakeConsumer.log[:1]] == [key for key, _ in log[:1]]
        assert len(FakeConsumer.log) == len(log)
    elif spoil == "short":
        FakeConsumer.log = log[: len(log) - 3]
    elif spoil == "deleted":
        FakeConsumer.log, FakeConsumer.first = [*log[:4], *log[4:], *log], len(log)
    else:
        FakeConsumer.log = []
    plain = await restored(None)
    loader = await restored(stores_in(tmp_path))
    assert sorted(loader.profiles.known()) == sorted(plain.profiles.known())
    assert loader.profiles.time == plain.profiles.time
    list(loader.profiles.leave(settled=False))


async def test_a_killed_worker_lost_nothing_that_it_committed(tmp_path):
    await lived(tmp_path, ("ann", "bob", "cid"))
    worker = Worker(stores_in(tmp_path))
    await worker.started()
    await worker.fold("dan", "ann", "eve", "fay")
    await worker.fold("gus")
    # As when it is killed: nothing is brought to its last commit.
    list(worker.cold.leave(settled=False))
    again = await restored(stores_in(tmp_path))
    plain = await restored(None)
    at = plain.profiles.time
    assert dict(again.profiles.read_all(at)) == dict(plain.profiles.read_all(at))
    list(again.profiles.leave(settled=False))


async def test_what_was_not_committed_never_gets_into_the_store(tmp_path):
    await lived(tmp_path, ("ann", "bob", "cid"))
    worker = Worker(stores_in(tmp_path, rows=1))
    await worker.started()

    await worker.fold("bob")

    async def refuse(packed: Any) -> int:
        raise Fatal("away")

    worker.writer.write = refuse
    worker.task.offer(0, records([click("ann", 4), click("new", 5)], 4))
    await settle()
    assert [str(error) for error in worker.failed] == ["away"]
    await worker.task.stop()
    again = await restored(stores_in(tmp_path))
    assert list(again.profiles.known()) == ["ann", "bob", "cid"]
    assert again.profiles.read("ann")["clicks_24h"] == 1
    list(again.profiles.leave(settled=False))


async def test_a_partition_that_comes_back_waits_for_its_store(tmp_path):
    stores = stores_in(tmp_path)
    loader = await restored(stores)
    again = asyncio.create_task(restored(stores))
    await settle()
    assert not again.done()
    list(loader.profiles.leave(settled=False))
    list((await again).profiles.leave(settled=False))


async def test_others_go_on_while_a_store_is_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_PAGE", 4)
    await lived(tmp_path, tuple(f"u{n}" for n in range(40)))
    stores, passes = stores_in(tmp_path), []

    async def look_on() -> None:
        while True:
            passes.append(0)
            await asyncio.sleep(0)

    looking = asyncio.create_task(look_on())
    local = await stores.open(program(), 0, 1)
    looking.cancel()
    assert len(local.loader.profiles) == 40
    assert len(passes) >= 40 // 4
    list(local.loader.profiles.leave(settled=False))


async def test_stores_are_opened_one_at_a_time(tmp_path, monkeypatch):
    """Each takes a tenth of a second, in which nothing else runs."""
    stores, passes, opened = stores_in(tmp_path), [0], []
    make = stores._shelf

    def shelf(number: int, closed: Any) -> Any:
        opened.append(passes[0])
        return make(number, closed)

    async def look_on() -> None:
        while True:
            passes[0] += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(stores, "_shelf", shelf)
    looking = asyncio.create_task(look_on())
    found = await asyncio.gather(*(stores.open(program(), number, 4) for number in range(4)))
    looking.cancel()
    assert len(set(opened)) == 4
    for local in found:
        list(local.loader.profiles.leave(settled=False))


async def test_one_that_is_left_while_it_is_opened_can_be_opened_again(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_PAGE", 4)
    await lived(tmp_path, tuple(f"u{n}" for n in range(40)))
    stores = stores_in(tmp_path)
    opening = asyncio.create_task(stores.open(program(), 0, 1))
    while not stores._room.partitions:
        await asyncio.sleep(0)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    assert stores._room.partitions == 0
    local = await stores.open(program(), 0, 1)
    assert len(local.loader.profiles) == 40
    list(local.loader.profiles.leave(settled=False))


async def test_another_worker_in_the_same_folder_is_refused(tmp_path):
    loader = await restored(stores_in(tmp_path))
    with pytest.raises(Refusal, match="give each worker a state_dir of its own"):
        await restored(stores_in(tmp_path))
    list(loader.profiles.leave(settled=False))


async def test_a_restore_that_fails_lets_go_of_the_store(tmp_path):
    FakeConsumer.log = [(b"ann", b"\1" * 40)]
    with pytest.raises(Refusal):
        await restored(stores_in(tmp_path))
    FakeConsumer.log = []
    list((await restored(stores_in(tmp_path))).profiles.leave(settled=False))


async def test_a_store_that_fails_when_a_worker_stops_does_not_hold_it_up(tmp_path, caplog):
    worker = Worker(stores_in(tmp_path))
    await worker.started()
    await worker.fold("ann")
    worker.cold.shelved.shelf._db.close()
    await worker.task.stop()
    assert "its local store was left as it was" in caplog.text
    loader = await restored(stores_in(tmp_path))
    assert list(loader.profiles.known()) == ["ann"]
    list(loader.profiles.leave(settled=False))


@pytest.mark.parametrize("damage", [b"", b"\0\0\3\0annxyz"], ids=["no row", "no lz4"])
async def test_a_store_with_a_damaged_row_ends_the_worker_and_begins_anew(tmp_path, damage):
    await lived(tmp_path, ("ann", "bob", "cid"))
    worker = Worker(stores_in(tmp_path))
    await worker.started()
    worker.cold.shelved.shelf.write([(key, damage) for key in row_keys(np.arange(3))])
    worker.task.offer(0, records([click("ann", 3)], 3))
    await settle()
    [error] = worker.failed
    assert "the next start makes it anew" in str(error)
    await worker.task.stop()
    again = await restored(stores_in(tmp_path))
    assert again.profiles.read("ann")["clicks_24h"] == 1
    list(again.profiles.leave(settled=False))
