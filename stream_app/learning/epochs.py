"""Learning anew on schedule, so that it does not matter when retention deleted what came before.

Event time is cut into epochs. With each begins a generation: a predictor that learns from the
first day of the epoch on, and from no record of an earlier day. It serves from the next epoch on,
when its versions are published in place of the older generation's. So what is published depends on
the records of the present and the two last epochs, and on nothing older.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from stream_app.domain.clock import DAY
from stream_app.learning.gate import Gate
from stream_app.learning.predictor import Floats, Predictor
from stream_app.learning.snapshot import Model, State
from stream_app.learning.training import DayEnd, Example, Outcome

EPOCH_DAYS: Final = 56
#: Whoever folds the records of so many days comes to what is published: at the end of an epoch the
#: present one and two more, and the day before by which a beginning is seen to be one.
LEAST_DAYS: Final = 3 * EPOCH_DAYS + 1
#: States of a version that has enough to go by: one that has less takes no older one's place.
_SETTLED: Final[tuple[State, ...]] = ("live", "unreachable")
#: So many generations learn at most, where the younger ones do not settle.
_MOST: Final = 4


class Generation(NamedTuple):
    """A predictor and the day end (ms) of the first examples that it takes."""

    start: int
    predictor: Predictor


class Generations:
    """What is learned for one task: the generation that serves, and the younger ones.

    The first one begins where the log does, and serves at once: there is nothing older. Another
    takes over when an epoch has begun after its own, when its own began within the log for every
    partition, and when it has settled.
    """

    def __init__(
        self, make: Callable[[], Predictor], gate: Gate, epoch_days: int = EPOCH_DAYS
    ) -> None:
        self._make = make
        self._gate = gate
        self._epoch = epoch_days * DAY
        #: By rising start; the first one serves.
        self._generations = [Generation(0, make())]
        #: When the next generation begins (ms); None before the first record.
        self._next: int | None = None
        #: The first day end of each partition.
        self._first: dict[int, int] = {}

    def example(self, record: Example, values: Floats) -> None:
        """Take an example whose vector (c,) is `values`, if it is one of this task."""
        self._begin(record.at)
        for start, predictor in self._generations:
            if record.at >= start:
                predictor.example(record, values)

    def outcome(self, record: Outcome) -> None:
        """Take an outcome of this task."""
        for start, predictor in self._generations:
            if record.sampled_at >= start:
                predictor.outcome(record)

    def day_end(self, record: DayEnd) -> Model | None:
        """Learn what has closed; return the new version of the generation that serves, if any."""
        self._begin(record.at)
        self._first.setdefault(record.partition, record.at)
        found = {
            start: predictor.day_end(record)
            for start, predictor in self._generations
            if record.at >= start
        }
        made = {start: model for start, model in found.items() if model is not None}
        self._take_over(made, record.partitions)
        start, predictor = self._generations[0]
        if start not in made:
            return None
        return self._gate.offer(made[start], predictor.newest, start)

    def release(self, version: int) -> Model | None:
        """Make a version that is held the live one; None where none of this number is held."""
        return self._gate.release(version)

    def _begin(self, at: int) -> None:
        if self._next is None:
            self._next = self._epoch_of(at) + self._epoch
        if at < self._next:
            return
        start = self._epoch_of(at)
        self._next = start + self._epoch
        self._generations.append(Generation(start, self._make()))
        if len(self._generations) > _MOST:
            del self._generations[1]

    def _take_over(self, made: dict[int, Model], partitions: int) -> None:
        """Let the youngest generation serve that may; the older ones end."""
        for place in range(len(self._generations) - 1, 0, -1):
            start = self._generations[place].start
            model = made.get(start)
            if (
                model is not None
                and model.state in _SETTLED
                and start < self._epoch_of(model.created_at)
                and self._whole(start, partitions)
            ):
                del self._generations[:place]
                return

    def _whole(self, start: int, partitions: int) -> bool:
        """Whether no record of `start` or later can have been before the first of this log.

        A partition's days come in order: where one before is there, all later ones are.
        """
        return len(self._first) >= partitions and max(self._first.values()) < start

    def _epoch_of(self, at: int) -> int:
        return at - at % self._epoch
