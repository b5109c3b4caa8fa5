"""A changelog is read as pairs, from where one says, and left in time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.structs import TopicPartition

from stream_app.kafka.recovery import reader as module
from stream_app.kafka.recovery.reader import Reader

CHANGELOG = TopicPartition("app-profiles-changelog", 0)


class FakeConsumer:
    """Stands where it was sent; what it hands out is what its fetcher was given."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.told: list[Any] = []
        self.stable: int | None = None
        self._fetcher = SimpleNamespace(_records={})

    def assignment(self) -> set[TopicPartition]:
        return {CHANGELOG} if "assign" in self.told else set()

    def assign(self, tps: list[TopicPartition]) -> None:
        self.told.append("assign")

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.told.append(offset)

    def last_stable_offset(self, tp: TopicPartition) -> int | None:
        return self.stable

    async def stop(self) -> None:
        await asyncio.Event().wait()


@pytest.fixture
def reader(monkeypatch) -> Any:
    monkeypatch.setattr(module, "AIOKafkaConsumer", FakeConsumer)
    return Reader({}, CHANGELOG, 1_024, 50)


def test_it_reads_what_is_committed_and_falls_to_no_place_by_itself(reader):
    options = reader.consumer.options
    assert options["isolation_level"] == "read_committed"
    assert options["auto_offset_reset"] == "none"
    assert options["fetch_max_wait_ms"] == 50


def test_it_has_a_place_to_go_to_as_soon_as_it_has_a_partition(reader):
    reader.go_to(7)
    reader.go_to(9)
    assert reader.consumer.told == ["assign", 7, 9]


def test_fetches_come_out_as_pairs_and_the_last_is_known(reader):
    reader.go_to(7)
    assert reader.last is None
    parts = SimpleNamespace(_consumer_record=None)
    fetch = FetchResult(CHANGELOG, assignment=None, partition_records=parts, backoff=0)
    reader.consumer._fetcher._records[CHANGELOG] = fetch
    records = [SimpleNamespace(offset=n, key=b"k%d" % n, value=b"v") for n in (7, 9)]
    pairs = [parts._consumer_record(CHANGELOG, record) for record in records]
    assert pairs == [(b"k7", b"v"), (b"k9", b"v")]
    assert reader.last == (9, (b"k9", b"v"))


@pytest.mark.parametrize(("told", "known"), [(None, None), (-1, None), (0, 0), (5, 5)])
def test_the_stable_offset_is_not_known_before_a_fetch(reader, told, known):
    reader.consumer.stable = told
    assert reader.stable == known


async def test_it_leaves_in_time_when_the_brokers_are_away(reader, monkeypatch):
    monkeypatch.setattr(module, "_CLOSE_S", 0.01)
    async with asyncio.timeout(5):
        await reader.stop()


class _Renamed:
    """A fetch of an aiokafka that calls its records something else."""

    def __init__(self, *_: object, **__: object) -> None:
        self._fetched_records = None


@pytest.mark.parametrize("name", ["_records", "_partition_records", "_consumer_record"])
def test_an_aiokafka_that_is_not_inside_as_it_was_is_refused(reader, monkeypatch, name):
    if name == "_records":
        reader.consumer._fetcher = object()
    elif name == "_partition_records":
        monkeypatch.setattr(module, "FetchResult", _Renamed)
    else:
        monkeypatch.delattr(PartitionRecords, name)
    with pytest.raises(RuntimeError, match=f"has no {name}; use a version from the lock file"):
        reader.go_to(0)
