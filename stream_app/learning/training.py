"""What workers tell the trainer at the end of each UTC day, and what operators do, at any time.

See schemas/training.json. Within a partition come the outcomes of a day end, then its examples,
then its DayEnd. Moments are epoch milliseconds; every `at` is a day end, the midnight with which a
day ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from stream_app.domain.clock import DAY, LATEST
from stream_app.learning.reading import read

#: A text that has characters: the name of a column or a task.
Name = Annotated[str, Meta(min_length=1, max_length=256)]
#: A whole number that every JSON reader can hold.
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
At = Annotated[int, Meta(ge=0, le=LATEST)]
ColumnsId = Annotated[str, Meta(pattern="^[0-9a-f]{16}$", max_length=16)]
Probability = Annotated[float, Meta(ge=0, le=1)]

DayAt = Annotated[int, Meta(ge=0, le=LATEST, multiple_of=DAY)]


class Sampled(Struct, frozen=True, gc=False):
    """What a task knew of a user at the sample's time.

    `score` is the probability that the live version gave, None without a model; `version` is 0
    then. `tag` is the value of the tag that the user had, None without.
    """

    score: Probability | None
    version: Count
    held_out: bool
    tag: str | None


class Example(Struct, frozen=True, gc=False, tag="example", tag_field="kind"):
    """A user's feature values when the day ended at `at`; missing values are None.

    `tasks` are those for which the user is sampled and eligible; `segment` says that segments are
    fitted on this example.
    """

    user_id: Name
    partition: Count
    at: DayAt
    columns_id: ColumnsId
    values: Annotated[list[float | None], Meta(min_length=1)]
    tasks: dict[Name, Sampled]
    segment: bool


class Outcome(Struct, frozen=True, gc=False, tag="outcome", tag_field="kind"):
    """How the example of `sampled_at` ended by `at`: 1.0 or 0.0, or a number to be cut."""

    user_id: Name
    partition: Count
    at: DayAt
    task: Name
    sampled_at: DayAt
    value: float


class DayEnd(Struct, frozen=True, gc=False, tag="day", tag_field="kind"):
    """Partition `partition` of `partitions` has written all that concerns the day end `at`.

    `gap_ms` is the longest pause between successive event times that ended within the day.
    """

    partition: Count
    partitions: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    at: DayAt
    columns: Annotated[list[Name], Meta(min_length=1)]
    gap_ms: Count
    users: Count


class Release(Struct, frozen=True, gc=False, tag="release", tag_field="kind"):
    """An operator has decided that `version` of `task`, made for the day end `at`, is not held."""

    task: Name
    version: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    at: DayAt


Record = Example | Outcome | DayEnd | Release

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final[msgspec.json.Decoder[Record]] = msgspec.json.Decoder(Record)


def columns_id(names: Sequence[str]) -> str:
    """The fingerprint of the columns of a vector, in their order.

    >>> columns_id(["orders_30d", "spend_30d"])
    'b23233ebdaa78a06'
    """
    return blake2b("\n".join(names).encode()).hexdigest()[:16]


def encode(record: Record) -> bytes:
    """JSON in UTF-8. Values and scores that are not finite become null: missing.

    Ranges and lengths are not looked at, for speed; `decode` does. ValueError for an outcome that
    is not finite: there is no record of a missing one.
    """
    if isinstance(record, Outcome) and not math.isfinite(record.value):
        raise ValueError(f"value: {record.value} of {record.task} is not a finite number")
    return _ENCODER.encode(record)


def decode(value: bytes) -> Record:
    """The inverse of `encode`; ValueError for anything that is not a record of `training`."""
    record = read(value, _DECODER)
    if isinstance(record, Outcome) and record.sampled_at >= record.at:
        raise ValueError(f"sampled_at: {record.sampled_at} is not before at, {record.at}")
    if isinstance(record, DayEnd):
        if record.partition >= record.partitions:
            raise ValueError(f"partition: {record.partition} of {record.partitions}")
        if len(set(record.columns)) < len(record.columns):
            raise ValueError("columns: a name comes twice")
    return record
