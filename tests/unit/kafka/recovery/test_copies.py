"""A copy goes on where it stands in this changelog, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from support.fake_changelog import CHANGELOG, FakeChangelog, Owner, values
from support.partition import program

from stream_app.engine.changelog import META
from stream_app.kafka.recovery.copies import Copy, open_copy
from stream_app.kafka.recovery.local import Stores


@pytest.fixture
def log() -> FakeChangelog:
    return FakeChangelog()


@pytest.fixture
def owner(log) -> Owner:
    return Owner(log)


async def caught_up(copy: Copy, log: FakeChangelog, most: int = 100) -> Any:
    """Have a copy read up to the end as it is; the reader."""
    reader = log.reader()
    await copy.begin(reader)
    while await reader.position() < log.end:
        pairs = await reader.take(most)
        copy.add(pairs, await reader.position(), reader.last)
    return reader


async def new_copy() -> Copy:
    return await open_copy(None, program(), 0, 1)


async def test_it_reads_on_from_its_offset_only_and_has_all(log, owner):
    owner.fold("ann", "bob")
    copy = await new_copy()
    assert copy.stands == ""
    await caught_up(copy, log, most=2)
    assert copy.stands == "standby copy"
    stood = copy.offset
    assert stood == log.end
    owner.fold("ann", "cid")
    reader = await caught_up(copy, log)
    assert reader.begun == [stood]
    assert reader.taken == 3
    copy.loader.finish()
    assert values(copy.loader.profiles) == values(owner.profiles)
    assert copy.loader.meta.next["clicks"] == 4


async def test_holes_of_compaction_change_nothing(log, owner):
    owner.fold("ann", "bob")
    copy = await new_copy()
    await caught_up(copy, log)
    for _ in range(3):
        owner.fold("ann", "cid")
    log.compact()
    reader = await caught_up(copy, log)
    # \0meta and two rows are left of nine records, and that of ann's before is gone too.
    assert reader.taken == 3
    copy.loader.finish()
    assert values(copy.loader.profiles) == values(owner.profiles)


async def test_what_it_read_last_may_be_compacted_away(log, owner):
    owner.fold("ann")
    copy = await new_copy()
    await caught_up(copy, log)
    stood = copy.offset
    owner.fold("ann")
    log.compact()
    reader = await caught_up(copy, log)
    assert reader.begun == [stood]


@pytest.mark.parametrize("rounds", [1, 5], ids=["shorter", "longer"])
async def test_a_changelog_that_was_made_anew_is_read_from_its_beginning(log, owner, rounds):
    for _ in range(3):
        owner.fold("ann", "bob")
    copy = await new_copy()
    await caught_up(copy, log)
    another = FakeChangelog()
    new = Owner(another)
    for n in range(rounds):
        new.fold("cid", f"u{n}")
    reader = await caught_up(copy, another)
    assert reader.begun == [0]
    copy.loader.finish()
    assert values(copy.loader.profiles) == values(new.profiles)


async def test_one_whose_records_were_deleted_meanwhile_is_read_anew(log, owner):
    owner.fold("ann")
    copy = await new_copy()
    await caught_up(copy, log)
    owner.fold("bob")
    owner.fold("ann")
    log.first = copy.offset + 1
    log.records = {n: pair for n, pair in log.records.items() if n >= log.first}
    reader = await caught_up(copy, log)
    assert reader.begun == [log.first]


async def test_a_copy_of_nothing_begins_at_the_first_record(log, owner):
    copy = await new_copy()
    await caught_up(copy, log)
    owner.fold("ann")
    reader = await caught_up(copy, log)
    assert reader.begun == [0]
    assert reader.taken == 2
    assert copy.loader.meta is not None
    assert (META, log.records[0][1]) == log.records[0]


async def test_with_a_local_store_rows_lie_there_and_a_takeover_has_them_all(log, owner, tmp_path):
    stores = Stores(tmp_path, CHANGELOG.topic, 2)
    owner.fold("ann", "bob", "cid", "dan")
    copy = await open_copy(stores, program(), 0, 1)
    await caught_up(copy, log, most=3)
    assert copy.loader.profiles.resident < 4
    stood = copy.offset
    owner.fold("ann", "eve")
    reader = await caught_up(copy, log)
    assert reader.begun == [stood]
    copy.loader.finish()
    assert values(copy.loader.profiles) == values(owner.profiles)
    copy.close()


async def test_what_is_let_go_of_leaves_its_store_to_the_next(log, owner, tmp_path):
    stores = Stores(tmp_path, CHANGELOG.topic, 2)
    owner.fold("ann", "bob", "cid")
    copy = await open_copy(stores, program(), 0, 1)
    await caught_up(copy, log)
    copy.close()
    # It has no checkpoint, which only owners take: it is copied anew.
    again = await open_copy(stores, program(), 0, 1)
    assert again.stands == ""
    reader = await caught_up(again, log)
    assert reader.begun == [0]
    again.loader.finish()
    assert values(again.loader.profiles) == values(owner.profiles)
    another = FakeChangelog()
    Owner(another).fold("zoe")
    reader = await caught_up(again, another)
    assert reader.begun == [0]
    assert [*again.loader.profiles.known()] == ["zoe"]
    again.close()
