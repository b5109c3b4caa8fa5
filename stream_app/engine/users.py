"""The users of a round, as models look at them; what several models need is worked out once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.expression import Expression, Frame
from stream_app.learning.logs import Logs
from stream_app.learning.panel import Panel
from stream_app.learning.sampling import Hashes
from stream_app.learning.scorers import Logistic
from stream_app.tagging.decision import Reasons

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


class Looks:
    """What models in use look at: the features of all, and the predictions' scorers together."""

    def __init__(self, scorers: Mapping[str, Logistic], others: Sequence[str]) -> None:
        """Take the predictions' scorers by task, and the features that other models look at."""
        self.panel: Final = Panel(list(scorers.values()))
        self.tasks: Final = {task: place for place, task in enumerate(scorers)}
        self.columns: Final = tuple(dict.fromkeys((*self.panel.names, *others)))


class Users:
    """m users: their features, and their hashes (m,)."""

    def __init__(self, frame: Frame, hashes: Hashes, looks: Looks) -> None:
        self.frame: Final = frame
        self.hashes: Final = hashes
        self._looks = looks
        self._logs: Logs | None = None
        self._probabilities: Floats | None = None

    @property
    def logs(self) -> Logs:
        """The logarithms of the features that any model looks at."""
        if self._logs is None:
            columns = self._looks.columns
            self._logs = Logs(columns, [self._column(name) for name in columns])
        return self._logs

    def probabilities(self, task: str) -> Floats:
        """The probabilities (m,) of a prediction in use."""
        if self._probabilities is None:
            self._probabilities = self._looks.panel.scores(self.logs)
        found: Floats = self._probabilities[self._looks.tasks[task]]
        return found

    def vectors(self, names: Sequence[str], rows: Rows) -> Floats:
        """The plain values (k, c) of features of some users, NaN where missing."""
        return np.column_stack([self._column(name)[rows] for name in names])

    def among(self, condition: Expression | None) -> NDArray[np.bool_]:
        """For whom (m,) a condition is true; for all without one."""
        if condition is None:
            return np.ones(len(self.hashes), dtype=np.bool_)
        return condition.true(self.frame)

    def outside(self, condition: Expression | None, row: int) -> Reasons:
        """Why the condition is not true of a user."""
        return [] if condition is None else condition.explain(self.frame, row, False)

    def _column(self, name: str) -> Floats:
        return np.asarray(self.frame.columns[name], dtype=np.float64)
