"""Restoring reads the changelog to its last stable offset, and no further than that.

Trap 7 of DESIGN: markers of transactions take offsets, so the end is reached by the position, not
by a record; restoring is ours and not Faust's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import TopicPartition
from support.clicks import CATALOGUE, click
from support.fake_changelog import FakeChangelog, Owner, values
from support.partition import program, records

from stream_app.engine import Profiles, step
from stream_app.engine.changelog import META, Meta, encode_layout, encode_meta
from stream_app.kafka.errors import Fatal, Refusal
from stream_app.kafka.partition.turns import Turns
from stream_app.kafka.recovery.copies import Copy, open_copy
from stream_app.kafka.recovery.local import Stores
from stream_app.kafka.recovery.restore import restore

CHANGELOG = TopicPartition("app-profiles-changelog", 0)


class FakeConsumer:
    """Delivers `fetches`: each is the position after it and its records (key, value)."""

    fetches: ClassVar[deque[tuple[int, list[tuple[bytes, Any]]]]]
    end: ClassVar[int]
    error: ClassVar[Exception | None]
    slow: ClassVar[float]
    made: ClassVar[list[FakeConsumer]]

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.at = 0
        self.stopped = False
        self.assigned: set[TopicPartition] = set()
        self._fetcher = SimpleNamespace(_records={})
        self.made.append(self)

    async def start(self) -> None:
        if self.error:
            raise self.error

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def assign(self, tps: list[TopicPartition]) -> None:
        assert tps == [CHANGELOG]
        self.assigned = set(tps)

    async def beginning_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {CHANGELOG: 0}

    async def end_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {CHANGELOG: self.end}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        assert self.assigned
        self.at = offset

    async def position(self, tp: TopicPartition) -> int:
        return self.at

    async def getmany(self, tp: TopicPartition, **bounds: int) -> dict[TopicPartition, list[Any]]:
        if not self.fetches:
            await asyncio.sleep(0.005)
            return {}
        self.at, pairs = self.fetches.popleft()
        await asyncio.sleep(self.slow)
        return {CHANGELOG: pairs} if pairs else {}

    async def stop(self) -> None:
        self.stopped = True


@pytest.fixture(autouse=True)
def consumer(monkeypatch):
    FakeConsumer.fetches, FakeConsumer.end = deque(), 0
    FakeConsumer.error, FakeConsumer.made, FakeConsumer.slow = None, [], 0
    monkeypatch.setattr("stream_app.kafka.recovery.reader.AIOKafkaConsumer", FakeConsumer)
    return FakeConsumer


def rows(*users: str) -> list[tuple[bytes, bytes]]:
    profiles = Profiles(program())
    done = step(profiles, [records([click(user, n) for n, user in enumerate(users)]), []])
    meta = Meta(
        {"clicks": len(users), "purchases": 0}, profiles.time, "", len(profiles.dictionary), ""
    )
    return [encode_meta(meta), *done.outputs.rows()]


async def test_a_state_that_is_half_changed_is_refused_without_advice_to_delete_it(consumer):
    consumer.end = 3
    busy = Meta({"clicks": 1, "purchases": 0}, 5, "", 0, busy="stream-app repartition")
    consumer.fetches.append((3, [*rows("ann"), encode_meta(busy)]))
    with pytest.raises(Refusal, match=r"`stream-app repartition` has begun.*where it was$"):
        await restored()


async def restored(timeout_s: float = 5.0) -> tuple[Any, int]:
    """The loader, and how often progress was told."""
    told = []
    loader = await restore({}, CHANGELOG, program(), 1, timeout_s, lambda: told.append(1), Turns())
    return loader, len(told)


async def test_markers_after_the_last_row_do_not_hold_it_up(consumer):
    consumer.end = 9
    consumer.fetches.extend([(3, rows("ann", "bob")), (5, []), (9, [])])
    loader, told = await restored()
    assert loader.profiles.users == ["ann", "bob"]
    assert loader.meta.next == {"clicks": 2, "purchases": 0}
    assert told == 1
    [made] = consumer.made
    assert made.options["isolation_level"] == "read_committed"
    assert made.options["enable_auto_commit"] is False
    # At the end the broker has nothing to give, and would keep a fetch for half a second.
    assert made.options["fetch_max_wait_ms"] <= 50
    assert made.stopped


async def test_an_empty_changelog_needs_no_fetch(consumer):
    loader, told = await restored()
    assert loader.meta is None
    assert told == 0


async def test_no_record_for_too_long_is_fatal(consumer):
    consumer.end = 9
    with pytest.raises(Fatal, match=r"app-profiles-changelog partition 0: no record was read for"):
        await restored(0.02)
    assert consumer.made[0].stopped


async def test_the_limit_is_on_standing_still_not_on_the_whole(consumer):
    consumer.end = 40
    consumer.fetches.extend((2 * n, rows(f"u{n}")) for n in range(1, 21))
    consumer.slow = 0.004
    loader, told = await restored(0.05)
    assert told == 20
    assert len(loader.profiles) == 20


@pytest.mark.parametrize(
    "spoil",
    [
        lambda pairs: pairs[1:],
        lambda pairs: [*pairs, (META, b"{")],
    ],
    ids=["no meta", "broken meta"],
)
async def test_a_changelog_not_to_be_trusted_is_a_refusal_with_the_choices(consumer, spoil):
    consumer.end = 3
    consumer.fetches.append((3, spoil(rows("ann"))))
    with pytest.raises(Refusal, match="Restore app-profiles-changelog from a backup, or delete it"):
        await restored()
    assert consumer.made[0].stopped


async def test_brokers_that_go_away_are_no_refusal(consumer):
    consumer.error = KafkaConnectionError("away")
    with pytest.raises(Fatal) as caught:
        await restored()
    assert not isinstance(caught.value, Refusal)
    assert consumer.made[0].stopped


async def from_copy(log: FakeChangelog, copy: Copy) -> Any:
    """What a restore makes of a standby's copy, and the reader that it used."""
    loader = await restore({}, CHANGELOG, program(), 1, 5.0, lambda: None, Turns(), None, copy)
    return loader, log.readers[-1]


@pytest.fixture
def log(monkeypatch) -> FakeChangelog:
    made = FakeChangelog()
    monkeypatch.setattr("stream_app.kafka.recovery.restore.Reader", lambda *_: made.reader())
    return made


async def followed(log: FakeChangelog) -> Copy:
    """A copy that has read all that there is."""
    copy, reader = await open_copy(None, program(), 0, 1), log.reader()
    await copy.begin(reader)
    while await reader.position() < log.end:
        pairs = await reader.take(3)
        copy.add(pairs, await reader.position(), reader.last)
    return copy


async def test_a_standby_s_copy_is_read_on_from_where_it_stands(log, caplog):
    owner = Owner(log)
    owner.fold("ann", "bob")
    copy = await followed(log)
    stood = copy.offset
    owner.fold("cid")
    caplog.set_level("INFO")
    loader, reader = await from_copy(log, copy)
    assert (reader.begun, reader.taken) == ([stood], 2)
    assert values(loader.profiles) == values(owner.profiles)
    assert f"offset {stood} of {CHANGELOG.topic}, where its standby copy stands: 2" in caplog.text


async def test_a_copy_of_another_changelog_is_not_gone_on_with(log, caplog):
    copy = await followed(log)
    caplog.set_level("INFO")
    Owner(log).fold("zoe")
    another = FakeChangelog()
    Owner(another).fold("ann", "bob")
    loader, reader = await from_copy(log, await followed(another))
    assert reader.begun == [0]
    assert loader.profiles.users == ["zoe"]
    assert "standby copy stands" not in caplog.text
    assert copy.stands == ""


async def test_deletions_that_compaction_took_are_found_by_the_number_of_users(log):
    owner = Owner(log)
    owner.fold("ann", "bob")
    copy = await followed(log)
    # Bob was deleted, and of him and of his tombstone nothing is left.
    log.records = {n: pair for n, pair in log.records.items() if pair[0] != b"bob"}
    log.commit([encode_meta(Meta({"clicks": 2, "purchases": 0}, 5, "", 0, users=1))])
    loader, reader = await from_copy(log, copy)
    assert reader.begun[-1] == 0
    assert loader.profiles.users == ["ann"]


#: Beyond what is put in at a time.
MANY = 4_500
MORE = CATALOGUE.replace("features:\n", "features:\n  active: {active_days: any, window: 7d}\n")


@pytest.mark.parametrize("text", [CATALOGUE, MORE], ids=["rows as they are", "an older layout"])
@pytest.mark.parametrize("beyond", [False, True], ids=["in memory", "beyond memory"])
async def test_whatever_else_runs_goes_on_after_a_few_rows_each(log, tmp_path, text, beyond):
    owner = Owner(log)
    log.commit([encode_layout(owner.profiles.program.layout)])
    owner.fold(*(f"u{n}" for n in range(MANY)))
    under = program(text)
    stores = Stores(tmp_path, CHANGELOG.topic, 100) if beyond else None
    copy, seen = await open_copy(stores, under, 0, 1), []

    async def look_on() -> None:
        while True:
            profiles = copy.loader.profiles
            seen.append(profiles.changed if beyond else len(profiles))
            await asyncio.sleep(0)

    looking = asyncio.create_task(look_on())
    # All of it has been fetched: no reading waits for anything.
    loader = await restore({}, CHANGELOG, under, 1, 5.0, lambda: None, Turns(), None, copy)
    looking.cancel()
    assert len(loader.profiles) == MANY
    assert max(np.diff([0, *seen, MANY])) <= 2_000
    copy.close()
