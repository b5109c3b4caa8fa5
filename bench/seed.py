"""Profiles of a million users, put straight into a lane's changelog with the engine's own encoder.

Folding three events for each of a million users takes minutes and is not what is measured here.
So three events for each of `SAMPLE` users are folded in three passes, and the rows that each pass
left are written again and again under the ids of all users: every user gets three updates, a
million records apart, and equal rows are too far apart to compress one another away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench import events, learned
from bench.lanes import PARTITIONS, Lane
from bench.load import Loader, loading
from bench.partitioning import partitions_of
from stream_app.domain.batch import TOPICS
from stream_app.engine import Profiles, Program, load_catalogue, step
from stream_app.engine.changelog import Meta, encode_layout, encode_meta, encode_strings
from stream_app.settings import Settings

SAMPLE: Final = 20_000
UPDATES: Final = 3
#: A transaction's batch of rows.
_BATCH_BYTES: Final = 2 * 1024 * 1024
_CHUNK: Final = 100_000
_ROUND: Final = 5_000
_DAY_MS: Final = 24 * events.HOUR_MS


@dataclass(frozen=True)
class Record:
    """A source record as the decoder reads it."""

    value: bytes | None
    timestamp: int
    offset: int


def source_records(batch: events.Events) -> list[list[Record]]:
    """Events as records of clicks and purchases, each in order of arrival."""
    records: list[list[Record]] = [[] for _ in TOPICS]
    columns = zip(batch.topic.tolist(), batch.value, batch.arrived.tolist(), strict=True)
    for topic, value, arrived in columns:
        records[topic].append(Record(value, arrived, len(records[topic])))
    return records


async def seed(lane: Lane, users: int, now_ms: int, *, updates: int = UPDATES) -> int:
    """Write `users` profiles as they are after three events; returns the number of row records.

    Of the three updates of each the last `updates` are written: all where restoring is measured.

    On a lane that learns, models are put into use too, and the last update is decided by them.
    """
    program = load_catalogue(lane.catalog).compile()
    profiles, passes = _fold_sample(program, min(SAMPLE, users), now_ms)
    if lane.learning:
        await learned.publish(lane, learned.use(profiles))
        passes[-1] = _rows(profiles)
    # As a worker compresses them.
    compression = Settings().codec
    async with loading(lane.servers, _BATCH_BYTES, compression) as loader:
        await _write_beginning(loader, lane, profiles)
        for rows in passes[-updates:]:
            for first in range(0, users, _CHUNK):
                chunk = range(first, min(first + _CHUNK, users))
                await _write_rows(loader, lane, chunk, rows)
            # What comes next supersedes it, so it must come after it.
            await loader.flush()
        await _write_meta(loader, lane, profiles)
    return users * updates


def _fold_sample(program: Program, users: int, now_ms: int) -> tuple[Profiles, list[list[bytes]]]:
    """Fold an event for each user a day, until now; the rows as they were after each pass."""
    profiles, rng = Profiles(program), np.random.default_rng([events.SEED, 1])
    passes = []
    for number in range(UPDATES):
        end = now_ms - (UPDATES - 1 - number) * _DAY_MS
        arrived = events.arrivals(users, end)
        everyone = rng.permutation(users)
        for batch in events.chunks(everyone, arrived, f"seed{number}", rng):
            _fold(profiles, batch)
        passes.append(_rows(profiles))
    return profiles, passes


def _fold(profiles: Profiles, batch: events.Events) -> None:
    for first in range(0, len(batch), _ROUND):
        step(profiles, source_records(batch.part(first, first + _ROUND)))


def _rows(profiles: Profiles) -> list[bytes]:
    """Each row's bytes, by slot, once everything that is due has been decided."""
    while step(profiles, [[], []]).due:
        pass
    slots = np.arange(len(profiles), dtype=np.intp)
    block = profiles.gather(slots).tobytes()
    size = profiles.program.layout.size
    return [block[at : at + size] for at in range(0, len(block), size)]


async def _write_beginning(loader: Loader, lane: Lane, profiles: Profiles) -> None:
    strings = [(code, text) for code, text in enumerate(profiles.dictionary.values) if code]
    for number in range(PARTITIONS):
        for key, value in (encode_layout(profiles.program.layout), *encode_strings(strings)):
            await loader.append(lane.plan.changelog, number, key, value)


async def _write_rows(loader: Loader, lane: Lane, users: range, rows: list[bytes]) -> None:
    for key, partition, row in _placed(users, rows):
        await loader.append(lane.plan.changelog, partition, key, row)


def _placed(users: range, rows: list[bytes]) -> Iterator[tuple[bytes, int, bytes]]:
    keys = events.user_keys(np.arange(users.start, users.stop))
    partitions = partitions_of(keys, PARTITIONS).tolist()
    for user, key, partition in zip(users, keys, partitions, strict=True):
        yield key, partition, rows[user % len(rows)]


async def _write_meta(loader: Loader, lane: Lane, profiles: Profiles) -> None:
    meta = Meta(
        next=dict.fromkeys(TOPICS, 0),
        time=profiles.time,
        layout=f"{profiles.program.layout.fingerprint:016x}",
        strings=len(profiles.dictionary),
        # Without it the worker would take the rows for ones decided under another catalogue.
        revision=profiles.program.catalogue.revision,
    )
    for number in range(PARTITIONS):
        await loader.append(lane.plan.changelog, number, *encode_meta(meta))
