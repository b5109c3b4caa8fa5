"""The states of a partition task, and what leads from one to another.

| state     | to us     | to another | revoked   | restored | restored, revoked | drained | failed |
|-----------|-----------|------------|-----------|----------|-------------------|---------|--------|
| created   | restoring | dead       | -         | -        | -                 | -       | dead   |
| restoring | restoring | dead       | restoring | running  | parked            | -       | dead   |
| running   | -         | dead       | draining  | -        | -                 | -       | dead   |
| draining  | -         | dead       | -         | -        | -                 | parked  | dead   |
| parked    | running   | dead       | parked    | -        | -                 | -       | dead   |
| dead      | -         | -          | -         | -        | -                 | -       | -      |

"To us" and "to another" are assignments. Every rebalance revokes everything first. A parked task
keeps its rows and its producer epoch until the new assignment is known: when it is ours again it
goes on at its next offsets, and whoever opened the partition in between has fenced us, so that our
next transaction fails and the process ends. A restore that a rebalance overtakes goes on, but
nothing is read until the partition is ours again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a partition task is in its life."""

    CREATED = "created"
    RESTORING = "restoring"
    RUNNING = "running"
    DRAINING = "draining"
    PARKED = "parked"
    DEAD = "dead"


#: The transitions that the table above allows.
TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.CREATED: frozenset({State.RESTORING, State.DEAD}),
    State.RESTORING: frozenset({State.RUNNING, State.PARKED, State.DEAD}),
    State.RUNNING: frozenset({State.DRAINING, State.DEAD}),
    State.DRAINING: frozenset({State.PARKED, State.DEAD}),
    State.PARKED: frozenset({State.RUNNING, State.DEAD}),
    State.DEAD: frozenset(),
}


class IllegalTransition(Exception):
    """A bug: the state table does not know this transition."""


def check(current: State, following: State) -> State:
    """Return `following`, or raise IllegalTransition where the table has no such transition."""
    if following not in TRANSITIONS[current]:
        raise IllegalTransition(f"{current} → {following}")
    return following
