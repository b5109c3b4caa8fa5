"""Drift that is told: daily means of features and losses, and the alarms of four weeks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.clock import DAY
from stream_app.learning.drift import Alarm, Watch
from stream_app.learning.snapshot import Model
from stream_app.learning.transform import compress

Floats = NDArray[np.float64]

#: Days for which an alarm is told.
TOLD_DAYS: Final = 28
#: A day's mean of fewer values is none.
LEAST: Final = 30


class Drift:
    """One watch over all series, so that there are few false alarms among all of them together.

    An alarm asks to look again; nothing is reset.
    """

    def __init__(self) -> None:
        self._watch = Watch()
        self._last: dict[str, int] = {}
        self._recent: list[Alarm] = []
        self._untold: list[Alarm] = []

    def add(self, day: int, means: Mapping[str, float | None]) -> list[Alarm]:
        """Take a day's means by series, and return what has moved.

        Left out are means that are missing or not finite, and those of a day that does not come
        after the series' last.
        """
        known = {
            name: mean
            for name, mean in means.items()
            if mean is not None and isfinite(mean) and day > self._last.get(name, -1)
        }
        self._last |= dict.fromkeys(known, day)
        found = self._watch.add(day, known)
        self._recent += found
        self._untold += found
        return found

    def losses(self, models: Sequence[Model]) -> list[Alarm]:
        """Take the losses that predictions have had in the cohorts that `models` came with."""
        found: list[Alarm] = []
        for model in models:
            if model.kind == "classifier":
                loss = {f"{model.task}_log_loss": model.metrics.get("log_loss")}
                found += self.add(model.created_at // DAY, loss)
        return found

    def recent(self, day: int) -> list[Alarm]:
        """The alarms of the four weeks that end with `day`."""
        self._recent = [alarm for alarm in self._recent if alarm.day > day - TOLD_DAYS]
        return list(self._recent)

    def take(self) -> list[Alarm]:
        """The alarms since the last call, for whoever logs and counts them."""
        found, self._untold = self._untold, []
        return found


def means(values: Floats, columns: Sequence[str]) -> dict[str, float]:
    """Return the mean logarithm of each of the columns of vectors (n, c), where enough have one."""
    logs = compress(values)
    present = [column[~np.isnan(column)] for column in logs.T]
    return {
        name: float(column.mean())
        for name, column in zip(columns, present, strict=True)
        if len(column) >= LEAST
    }
