"""What was seen, before anybody judges it. Times are epoch milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream_app.engine.changelog import Meta

#: Operations by their number in Kafka's protocol (KIP-430), as `stream-app acls` names them.
OPERATIONS = {
    3: "Read",
    4: "Write",
    5: "Create",
    6: "Delete",
    7: "Alter",
    8: "Describe",
    10: "DescribeConfigs",
}


def operations(bits: int) -> frozenset[str] | None:
    """The operations of a bit field; None where the broker did not tell.

    >>> sorted(operations(1 << 3 | 1 << 8))
    ['Describe', 'Read']
    """
    if bits < 0:
        return None
    return frozenset(name for number, name in OPERATIONS.items() if bits >> number & 1)


@dataclass(frozen=True)
class Broker:
    """An address that was called; `why` it let nobody in. Not `named`: a broker told it."""

    address: str
    named: bool
    why: str | None = None


@dataclass(frozen=True)
class Replicas:
    """How a topic's partitions are held: by number those without a leader, and short of replicas.

    `may` is what this user may do, None where that is not told.
    """

    leaderless: tuple[int, ...] = ()
    below_min: tuple[int, ...] = ()
    out_of_sync: tuple[int, ...] = ()
    may: frozenset[str] | None = None


@dataclass(frozen=True)
class Group:
    """A consumer group; `refused` where this user may not look at it."""

    name: str
    state: str = ""
    hosts: tuple[str, ...] = ()
    may: frozenset[str] | None = None
    refused: bool = False


@dataclass(frozen=True)
class Input:
    """A partition of an input: the first offset kept, the last stable one, the group's.

    `partition` is its number, where that is not the task's.
    """

    topic: str
    first: int
    end: int
    group: int | None = None
    partition: int | None = None


@dataclass(frozen=True)
class Partition:
    """What the changelog says of a partition number: its `\\0meta`, and its newest record's time.

    `inputs` by the name of the input in `\\0meta`.
    """

    number: int
    meta: Meta | None
    newest: int | None
    inputs: Mapping[str, Input] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusals:
    """Dead letters of the last hour by reason, and how many events came in it.

    With `more` there are more than were counted.
    """

    reasons: Mapping[str, int]
    events: int
    more: bool = False


@dataclass(frozen=True)
class InUse:
    """A task's models: the version in use and its state; versions by number that are held, pinned.

    `created` is the event time up to which it has learned; `paused` why it cannot be used.
    """

    task: str
    kind: str
    version: int
    state: str
    created: int
    held: int | None = None
    pin: int | None = None
    paused: str | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Port:
    """The HTTP port of this machine: who answers `/readyz` there.

    `status` is None where nobody listens, 0 where what answers is none of ours.
    """

    address: str
    status: int | None
    unmet: tuple[str, ...] = ()
