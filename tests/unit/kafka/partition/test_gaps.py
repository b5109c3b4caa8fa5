"""Which gaps are believed, which are read again, and which end the worker."""

from __future__ import annotations

import pytest
from support.clicks import click
from support.partition import CLICKS, PURCHASES, Partition, records

from stream_app.kafka.errors import Fatal, Refusal
from stream_app.kafka.input_topics.queue import Gap, Taken
from stream_app.kafka.partition.gaps import Gaps


@pytest.fixture
def partition() -> Partition:
    return Partition()


@pytest.fixture
def gaps(partition: Partition) -> Gaps:
    found = Gaps([CLICKS, PURCHASES], partition.around)
    found.begin([3, 0])
    return found


async def test_a_gap_after_a_seek_is_believed_when_met_twice_and_any_other_at_once(gaps) -> None:
    assert await gaps.believe(Gap(0, 7, 9))
    assert not await gaps.believe(Gap(0, 3, 6))
    assert not await gaps.believe(Gap(0, 3, 5))
    assert await gaps.believe(Gap(0, 3, 5))
    gaps.begin([3, 0])
    assert not await gaps.believe(Gap(0, 3, 5))


async def test_a_gap_after_reading_again_is_one_after_a_seek(gaps) -> None:
    assert not gaps.beyond(0, 7, 9, resting=True)
    assert gaps.beyond(0, 7, 9, resting=True)
    assert not await gaps.believe(Gap(0, 7, 9))
    assert await gaps.believe(Gap(0, 7, 9))
    gaps.forget()
    assert await gaps.believe(Gap(0, 7, 10))


async def test_what_retention_deleted_is_refused(gaps, partition) -> None:
    partition.inputs.bounds[CLICKS] = (5, 100)
    with pytest.raises(Refusal, match="retention deleted 2 events unread"):
        await gaps.believe(Gap(0, 3, 5))


async def test_reading_that_fell_back_says_what_the_topic_knows_of_it(gaps, partition) -> None:
    with pytest.raises(Fatal, match="reading clicks partition 0 fell from offset 9 to 0"):
        await gaps.refuse_return(0, 9, 0)
    partition.inputs.bounds[CLICKS] = (0, 2)
    with pytest.raises(Refusal, match="deleted and made anew"):
        await gaps.refuse_return(0, 9, 0)


def test_what_was_passed_and_comes_after_all_is_told(gaps, caplog) -> None:
    taken = Taken([records([click("ann", 0)], first=7), []], [8, 0], [])
    gaps.tell_missed(taken)
    assert not caplog.messages
    for _ in range(2):
        gaps.beyond(0, 7, 9, resting=True)
    gaps.tell_missed(taken)
    [told] = caplog.messages
    assert told.startswith("clicks partition 0: records from offset 7 on had been read")
