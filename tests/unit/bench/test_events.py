"""The benchmark's events are seeded, accepted by the decoder, and shaped as they say."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from bench import events, shop
from bench.partitioning import partitions_of
from bench.seed import source_records
from stream_app.domain.decode import DecodeOptions, Decoder
from stream_app.domain.partitioner import PARTITIONERS

NOW = 1_760_000_000_000


def made(n: int = 4_000, seed: int = 1) -> events.Events:
    rng = np.random.default_rng(seed)
    users = events.zipf(n, 10_000, rng)
    return events.make(users, events.arrivals(n, NOW), "e", rng)


def test_the_same_seed_makes_the_same_events() -> None:
    assert made().value == made().value
    assert made().value != made(seed=2).value


def test_every_event_is_accepted_and_of_the_size_that_is_documented() -> None:
    batch = made()
    decoded = Decoder(DecodeOptions()).decode(source_records(batch))
    assert decoded.rejected == []
    assert len(decoded.batch.user) == len(batch)
    assert 250 <= np.mean([len(value) for value in batch.value]) <= 320


def test_about_one_in_thirty_is_an_order() -> None:
    assert np.mean(made().topic) == pytest.approx(shop.MIX["purchase"] + 0.002, abs=0.01)
    assert sum(shop.MIX.values()) == pytest.approx(1.0)


def test_users_follow_zipfs_law() -> None:
    drawn = Counter(events.zipf(200_000, 1_000, np.random.default_rng(1)).tolist())
    harmonic = sum(1 / k for k in range(1, 1_001))
    for rank in (1, 2, 10):
        assert drawn[rank - 1] / 200_000 == pytest.approx(1 / rank / harmonic, rel=0.05)


def test_chunks_go_on_where_the_one_before_ended() -> None:
    users = np.arange(events.CHUNK + 10)
    chunks = events.chunks(users, events.arrivals(len(users), NOW), "e", np.random.default_rng(1))
    ids = [value[13:24] for chunk in chunks for value in chunk.value]
    assert len(set(ids)) == len(ids) == len(users)


@pytest.mark.parametrize("partitions", [1, 4, 7])
def test_many_keys_go_where_each_of_them_would(partitions: int) -> None:
    keys = events.user_keys(np.arange(0, 1_000_000, 997))
    one_by_one = [PARTITIONERS["murmur2"](key, partitions) for key in keys]
    assert partitions_of(keys, partitions).tolist() == one_by_one


def test_keys_that_cannot_be_cut_into_words_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        partitions_of([b"123456", b"123456"], 4)
