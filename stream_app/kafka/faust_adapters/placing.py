"""Which member of the group owns a partition, and which members stand by for it.

Pure, and the same whoever computes it: from what the members had, which they tell when they join.
Faust's own way is not used. With standbys it takes from nobody who has no more than the rounded-up
share, so that of four partitions a third worker gets none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_NONE: Final[frozenset[int]] = frozenset()


@dataclass(frozen=True)
class Member:
    """What a member had: partitions that it owned, and that it stood by for.

    `ready` are the partitions of which it has a copy that is near the end, or that it cannot copy,
    so that there is nothing to wait for; None where it keeps no copies.
    """

    active: frozenset[int] = _NONE
    standby: frozenset[int] = _NONE
    ready: frozenset[int] | None = None

    def warm(self, number: int) -> bool:
        """Whether it can go on with a partition at once."""
        return number in self.active or number in (self.ready or ())

    def knows(self, number: int) -> bool:
        """Whether it has a part of the partition at least."""
        return self.warm(number) or number in self.standby


@dataclass
class Share:
    """What a member gets. It stands by for `awaited` too, and owns them as soon as it is ready."""

    active: set[int] = field(default_factory=set)
    standby: set[int] = field(default_factory=set)
    awaited: set[int] = field(default_factory=set)


def place(members: Mapping[str, Member], partitions: int, replicas: int) -> dict[str, Share]:
    """Place partitions 0 to `partitions` - 1 on `members`, each with up to `replicas` standbys.

    Owners are as even as can be, and little moves. With standbys, nobody who can go on with a
    partition gives it to a member that cannot yet: that one stands by for it first, beyond
    `replicas`.
    """
    before = {name: members[name] for name in sorted(members)}
    shares = {name: Share() for name in before}
    owners = []
    for number, aim in enumerate(_even(before, partitions)):
        owner = _meanwhile(number, aim, before) if replicas else aim
        owners.append(owner)
        shares[owner].active.add(number)
        if owner != aim:
            shares[aim].awaited.add(number)
            shares[aim].standby.add(number)
    _stand_by(before, owners, shares, replicas)
    return shares


def _meanwhile(number: int, aim: str, before: Mapping[str, Member]) -> str:
    """Who owns a partition until `aim` can."""
    if before[aim].ready is None or before[aim].warm(number):
        return aim
    owners = [name for name, member in before.items() if number in member.active]
    ready = [name for name, member in before.items() if member.warm(number)]
    return [*owners, *ready, aim][0]


def _even(before: Mapping[str, Member], partitions: int) -> list[str]:
    """Who is to own each partition in the end."""
    owned: dict[str, set[int]] = {name: set() for name in before}
    least, fuller = divmod(partitions, len(before))
    left = dict.fromkeys(range(partitions))

    def has_room(name: str) -> bool:
        full = sum(len(numbers) > least for numbers in owned.values())
        return len(owned[name]) < least + (full < fuller)

    def give(number: int, names: Sequence[str]) -> None:
        able = [name for name in names if number in left and has_room(name)]
        if able:
            chosen = min(able, key=lambda one: (not before[one].warm(number), len(owned[one])))
            owned[chosen].add(number)
            del left[number]

    for name in sorted(before, key=lambda name: -len(before[name].active)):
        for number in _dearest(name, before, least):
            give(number, [name])
    for number in list(left):
        give(number, [name for name, member in before.items() if member.knows(number)])
    for number in list(left):
        give(number, list(before))
    return _by_number(owned, partitions)


def _dearest(name: str, before: Mapping[str, Member], least: int) -> list[int]:
    """What a member owned, last what it would better give away: others with room can go on."""
    others = [one for key, one in before.items() if key != name and len(one.active) < least]
    return sorted(
        before[name].active, key=lambda number: (any(one.warm(number) for one in others), number)
    )


def _by_number(owned: Mapping[str, set[int]], partitions: int) -> list[str]:
    names = {number: name for name, numbers in owned.items() for number in numbers}
    return [names[number] for number in range(partitions)]


def _stand_by(
    before: Mapping[str, Member], owners: Sequence[str], shares: Mapping[str, Share], replicas: int
) -> None:
    """Add standbys: evenly, those of an owner spread over the others, and so that little moves."""
    stands = {name: _NONE for name, member in before.items() if member.ready is not None}
    replicas = min(replicas, len(stands) - 1)
    found = [0] * len(owners)

    def lacks(number: int, name: str) -> bool:
        return name != owners[number] and number not in stands[name]

    def add(number: int, name: str) -> None:
        stands[name] |= {number}
        found[number] += 1

    for name in stands:
        for number in sorted(before[name].standby):
            if found[number] < replicas and lacks(number, name):
                add(number, name)
    for number, owner in enumerate(owners):
        while found[number] < replicas:
            add(
                number,
                min(
                    (name for name in stands if lacks(number, name)),
                    key=lambda one: (
                        len(stands[one]),
                        len(stands[one] & shares[owner].active),
                        one,
                    ),
                ),
            )
    _level(stands, lacks)
    for name, numbers in stands.items():
        shares[name].standby |= numbers


def _level(stands: dict[str, frozenset[int]], lacks: Callable[[int, str], bool]) -> None:
    """Move standbys from who has most to who has fewest, as long as that evens them out."""
    while stands:
        ranked = sorted(stands, key=lambda name: len(stands[name]))
        least, most = ranked[0], ranked[-1]
        moving = sorted(number for number in stands[most] if lacks(number, least))
        if len(stands[most]) - len(stands[least]) < 2 or not moving:
            return
        stands[most] -= {moving[0]}
        stands[least] |= {moving[0]}
