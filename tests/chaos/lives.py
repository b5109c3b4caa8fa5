"""When a user's life ends and another begins, by the events that came and the time that passed.

Within one transaction nobody but the program knows in which order events of several inputs were
folded; those of one input go by their offsets. So there may be several answers, all of them right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

from chaos.changelog import Input
from chaos.inputs import Event

DAY_MS = 86_400_000
NEVER = 2**63


class Retention(NamedTuple):
    """An event so long (ms) after a user's latest begins anew; without one he goes a day later.

    Whoever begins with an event that is older than that has been seen since then all the same.
    """

    idle_ms: int = NEVER

    def over(self, last: int, now: int) -> bool:
        """Whether time alone has ended, by `now`, who was seen last at `last`."""
        return last + self.idle_ms + DAY_MS <= now


#: Nobody is ever forgotten.
KEPT = Retention()


@dataclass
class Life:
    """What counts for a user since he was first seen, or seen again after he was forgotten."""

    events: int = 0
    cents: int = 0
    last: int = 0
    known: set[tuple[int, str]] = field(default_factory=set)

    @property
    def counted(self) -> tuple[int, int]:
        return self.events, self.cents

    def after(self, events: Sequence[Event]) -> Life:
        """This life with some more events, none of them known."""
        return Life(
            self.events + len(events),
            self.cents + sum(event.cents for event in events),
            max((self.last, *(event.at for event in events))),
            self.known | {event.identity for event in events},
        )


#: Whether the life that there was has ended, and the life that there is then.
Outcome = tuple[bool, Life]


def new_to(life: Life, logs: Sequence[Sequence[Event]]) -> list[list[Event]]:
    """The same logs without repeats of what counts already, or comes here twice."""
    known, found = set(life.known), []
    for log in logs:
        kept = []
        for event in log:
            if event.identity not in known:
                known.add(event.identity)
                kept.append(event)
        found.append(kept)
    return found


def outcomes(
    life: Life, logs: Sequence[Sequence[Event]], retention: Retention, now: int = 0
) -> list[Outcome]:
    """What `life` may be after the events of `logs`; mostly there is one answer.

    `now` (ms) is partition time when a life begins.
    """
    events = [event for log in logs for event in log]
    if not events:
        return [(False, life)]
    times, idle = [event.at for event in events], retention.idle_ms
    if max(times) - min(times) < idle:
        if not life.events or max(times) - life.last < idle:
            return [(False, life.after(events))]
        if min(times) - life.last >= idle:
            return [(True, Life().after(events))]
    return list(_any_order(life, logs, idle, now - idle))


#: How many events of each log have come.
Place = tuple[int, ...]


def _any_order(
    life: Life, logs: Sequence[Sequence[Event]], idle: int, least: int
) -> Iterator[Outcome]:
    """All that may be, in whatever order events of different logs come; `least` is how long ago
    lives begin at most."""
    nothing: Place = (0,) * len(logs)
    #: By how much has come: where the life that there is then may have begun; None: it goes on.
    begun: dict[Place, set[Place | None]] = {nothing: {None}}
    ends = tuple(map(len, logs))
    # Every place comes after those that it is reached from.
    for place in product(*(range(end + 1) for end in ends)):
        for begin in begun[place]:
            since, last = (nothing, life.last) if begin is None else (begin, 0)
            come = _between(logs, since, place)
            if come and (begin is not None or not life.events):
                last = least
            last = max((last, *(event.at for event in come)))
            for i, log in enumerate(logs):
                if place[i] < ends[i]:
                    over = last > 0 and log[place[i]].at - last >= idle
                    then = (*place[:i], place[i] + 1, *place[i + 1 :])
                    begun.setdefault(then, set()).add(place if over else begin)
    for begin in begun[ends]:
        if begin is None:
            yield False, life.after(_between(logs, nothing, ends))
        else:
            yield True, Life().after(_between(logs, begin, ends))


def _between(logs: Sequence[Sequence[Event]], first: Place, end: Place) -> list[Event]:
    return [
        event for log, low, high in zip(logs, first, end, strict=True) for event in log[low:high]
    ]


def by_log(events: Mapping[tuple[Input, int], list[Event]]) -> list[list[Event]]:
    """Events of one user by where they lie and topic, in a fixed order."""
    return [events[where] for where in sorted(events)]
