"""Vectors of the users that segments were last sampled from."""

from __future__ import annotations

import numpy as np
import pytest
from support.logs import FakeLog, Topic
from support.trainer import COLUMNS, day_end, example

from stream_app.kafka.errors import Fatal
from stream_app.kafka.model_training import samples
from stream_app.kafka.model_training.samples import newest_samples
from stream_app.learning.training import Example, Record, encode
from stream_app.settings import Settings


def sample(day: int, user: str, value: float | None, **fields: object) -> Example:
    base = example(day, user)
    given = {name: getattr(base, name) for name in base.__struct_fields__}
    return Example(**(given | {"values": [value], "segment": True} | fields))


def topic(*records: Record | None) -> Topic:
    return Topic(*((b"k", encode(record) if record else b"{") for record in records))


async def read(there: Topic, seconds: float = 5.0) -> list[float]:
    settings = Settings(request_timeout_s=seconds)
    found = await newest_samples(settings, COLUMNS, lambda: FakeLog(there))
    assert there.closed == there.opened == 1
    assert found.shape[1:] == (1,)
    return sorted(found[:, 0].tolist())


async def test_each_user_of_the_newest_week_at_his_last_sample() -> None:
    there = topic(
        sample(2, "old", 9.0), sample(3, "ann", 1.0), sample(8, "ann", 2.0), sample(4, "bob", 3.0),
        sample(10, "eve", 4.0), day_end(10),
    )  # fmt: skip
    assert await read(there) == [2.0, 3.0, 4.0]


async def test_others_than_samples_for_segments_of_these_columns_are_left_out() -> None:
    there = topic(
        sample(3, "ann", 1.0), sample(3, "bob", 2.0, segment=False),
        sample(3, "eve", 3.0, columns_id="0" * 16), None, day_end(3),
    )  # fmt: skip
    assert await read(there) == [1.0]


async def test_missing_values_are_nan_and_without_samples_there_is_nothing() -> None:
    [value] = await read(topic(sample(3, "ann", None)))
    assert np.isnan(value)
    assert await read(topic(day_end(3))) == []


async def test_no_more_records_are_read_and_no_more_users_kept_than_may_be(monkeypatch) -> None:
    monkeypatch.setattr(samples, "RECORDS", 5)
    monkeypatch.setattr(samples, "USERS", 3)
    users = [sample(3, f"user-{n}", float(n)) for n in range(9)]
    found = await read(topic(*users))
    assert len(found) == 3
    assert min(found) >= 4
    assert found == await read(topic(*users))


async def test_a_topic_that_does_not_answer_is_given_up_on() -> None:
    there = topic(sample(3, "ann", 1.0))
    there.away = 10**9
    with pytest.raises(Fatal):
        await read(there, 0.05)
