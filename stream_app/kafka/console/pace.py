"""When each event is due: by a rate, by its own time sped up, by both, or at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class Pace:
    """`rate`: events a second; `speed`: event time runs so many times faster than real time."""

    rate: float | None = None
    speed: float | None = None
    _sent: int = field(default=0, init=False)
    _first_at: int | None = field(default=None, init=False)
    _latest: float = field(default=0.0, init=False)

    @property
    def free(self) -> bool:
        """Whether nothing is ever waited for."""
        return self.rate is None and self.speed is None

    def due(self, at: NDArray[np.int64]) -> NDArray[np.float64]:
        """Seconds after the start at which the next events are due; `at` is in milliseconds.

        It never falls: an event that is older than the one before is due together with it.
        """
        due = np.zeros(len(at))
        if not len(at):
            return due
        if self._first_at is None:
            self._first_at = int(at[0])
        if self.rate is not None:
            due = (self._sent + np.arange(len(at))) / self.rate
        if self.speed is not None:
            due = np.maximum(due, (at - self._first_at) / 1000 / self.speed)
        due = np.maximum(np.maximum.accumulate(due), self._latest)
        self._sent += len(at)
        self._latest = float(due[-1])
        return due
